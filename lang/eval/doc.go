// Package eval gives the blocks of a module their values: on demand, each thing once,
// with a stack that is the message when a cycle is met. HCL and cty end here: what leaves
// is Go values with ranges, checked against package schema.
//
// A call of a module is an evaluator of its own, with a prefix, in the session of the
// root: its variables are evaluated where the call stands and when they are asked for, and
// so are its outputs, one by one.
//
// A reference is a value: script.nginx is an object whose id is its address, so that
// lists, conditionals and for expressions over references work, and the argument that
// wants a script reads the id.
package eval
