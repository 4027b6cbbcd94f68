// Package hatest reads *.hatest.hcl: what to do to a group of machines and when, and what
// must be true afterwards. It plays nothing: `hafile test` plays a run on a simulated
// clock, `hafile lab` plays the same run on real kernels, and both hand what they saw
// back as an [Outcome].
package hatest
