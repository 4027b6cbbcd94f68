//go:build !linux

package main

import (
	"errors"
	"runtime"

	"github.com/spf13/cobra"
)

// errLinux is what a command says that needs Linux's network.
var errLinux = errors.New("this command works on Linux only, and this is " + runtime.GOOS + ": validate, fmt, plan, show and convert work here")

func onlyLinux(use, short string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short + " (Linux only)", DisableFlagParsing: true,
		RunE: func(*cobra.Command, []string) error { return errLinux },
	}
}

func (c *cli) runCommand() *cobra.Command { return onlyLinux("run", "Be the daemon") }

func (c *cli) labCommand() *cobra.Command {
	return onlyLinux("lab DIR", "Bring every node up in network namespaces and play a story")
}

func (c *cli) takeoverCommand() *cobra.Command {
	return onlyLinux("takeover", "Put hafile in the place of a keepalived")
}

func labHidden() []*cobra.Command { return nil }
