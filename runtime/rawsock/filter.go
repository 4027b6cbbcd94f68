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
	shortest   = 22 // bytes that hold an IPv4 header without options and the id
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

// layout is where a raw socket's packets have the virtual router id.
type layout uint8

const (
	behindIPv4 layout = iota // programs on raw IPv4 sockets start at the IP header
	behindAH                 // and so for protocol 51
	atStart                  // those on raw IPv6 sockets start behind it
)

// find puts the virtual router id into the accumulator. What is too short to have one is
// delivered, to be counted. An authentication header around something else is nobody's
// here.
func (l layout) find() []bpf.Instruction {
	enough := func(n uint32) []bpf.Instruction {
		return []bpf.Instruction{
			bpf.LoadExtension{Num: bpf.ExtLen},
			bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: n, SkipTrue: 1},
			bpf.RetConstant{Val: everything},
		}
	}
	switch l {
	case atStart:
		return append(enough(2), bpf.LoadAbsolute{Off: 1, Size: 1})
	case behindAH:
		return append(enough(shortest+wire.AHOverhead),
			bpf.LoadMemShift{Off: 0},
			bpf.LoadIndirect{Off: 0, Size: 1},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: wire.Protocol, SkipTrue: 1},
			bpf.RetConstant{Val: nothing},
			bpf.LoadIndirect{Off: wire.AHOverhead + 1, Size: 1})
	}
	return append(enough(shortest), bpf.LoadMemShift{Off: 0}, bpf.LoadIndirect{Off: 1, Size: 1})
}

// filter delivers packets with these virtual router ids, what is too short to have one,
// and a sample of the rest.
func filter(where layout, ids *vrids, strangers bool) ([]bpf.RawInstruction, error) {
	program := where.find()
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
