//go:build !linux

package main

import "hafile/runtime/kernel"

// routesAndRules are Linux's: a daemon of another machine is not compared with this one.
func routesAndRules() (kernel.Things, error) { return nil, nil }
