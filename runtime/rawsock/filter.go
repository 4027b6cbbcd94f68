package rawsock

import (
	"fmt"

	"golang.org/x/net/bpf"

	"hafile/runtime/vrrp/wire"
)

// sample is of how many strangers' adverts one is let through; a power of two.
const sample = 64

const (
	everything = 0xffff // bytes of the packet to deliver
	nothing    = 0
	shortest   = 22 // bytes that hold an IP header without options and the id
)

// vrids is a set of virtual router ids.
type vrids [256]bool

func setOf(ids []uint8) *vrids {
	var s vrids
	for _, id := range ids {
		s[id] = id != 0
	}
	return &s
}

// filter delivers packets with these virtual router ids, what is too short to have one,
// and a sample of the rest. Programs on raw IPv4 sockets start at the IP header.
func filter(ids *vrids, strangers bool) ([]bpf.RawInstruction, error) {
	program := []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtLen},
		bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: shortest, SkipTrue: 1},
		bpf.RetConstant{Val: everything},
		bpf.LoadMemShift{Off: 0},
		bpf.LoadIndirect{Off: 1, Size: 1},
	}
	// The jumps go to the delivery right behind them: an offset has 8 bits only.
	known := ids.count()
	for id := range ids {
		if ids[id] {
			program = append(program, bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(id), SkipTrue: uint8(known)})
			known--
		}
	}
	program = append(program, bpf.Jump{Skip: 1}, bpf.RetConstant{Val: everything})
	if strangers {
		program = append(program,
			bpf.LoadExtension{Num: bpf.ExtRand},
			bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: sample - 1},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipFalse: 1},
			bpf.RetConstant{Val: everything})
	}
	program = append(program, bpf.RetConstant{Val: nothing})
	raw, err := bpf.Assemble(program)
	if err != nil {
		return nil, fmt.Errorf("assemble the filter: %w", err)
	}
	return raw, nil
}

// deaf delivers nothing.
func deaf() []bpf.RawInstruction {
	raw, err := bpf.Assemble([]bpf.Instruction{bpf.RetConstant{Val: nothing}})
	if err != nil {
		panic("rawsock: " + err.Error())
	}
	return raw
}

func (s *vrids) count() int {
	n := 0
	for _, in := range s {
		if in {
			n++
		}
	}
	return n
}

// weight is how many packets one that was delivered stands for.
func (s *vrids) weight(a *wire.Advert) uint64 {
	if a.VRID == 0 || s[a.VRID] {
		return 1
	}
	return sample
}
