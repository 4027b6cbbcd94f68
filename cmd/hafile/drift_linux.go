package main

import (
	"hafile/runtime/kernel"
	"hafile/runtime/kernel/netlink"
)

// routesAndRules are the kernel's that carry hafile's tag.
func routesAndRules() (kernel.Things, error) { return netlink.Things() }
