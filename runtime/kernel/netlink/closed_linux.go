package netlink

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"hafile/runtime/kernel"
)

// Addresses that the machine forwards for and does not take packets for itself (RFC 9568,
// 6.1: Accept_Mode false) are dropped at the input hook, by a table that is all ours. It
// is made anew whenever it is not as it must be, in one batch: there is no moment without it.
const (
	closedTable = "hafile"
	closedChain = "input"
	closedRules = 3
	// closedPriority is before other filters, so that no accept there comes first.
	closedPriority = -10
)

// openFilter is a connection for the table; nil where the kernel has no nftables.
func openFilter() *nftables.Conn {
	c, err := nftables.New(nftables.AsLasting())
	if err != nil {
		return nil
	}
	return c
}

// closed is the table as it is. Where it cannot be read there is none: what is wanted is
// then set again, and its error says why.
func (h *host) closed() kernel.Things {
	if h.filter == nil {
		return nil
	}
	tables, err := h.filter.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil
	}
	at := slices.IndexFunc(tables, func(t *nftables.Table) bool { return t.Name == closedTable })
	if at < 0 {
		return nil
	}
	c := &kernel.Closed{}
	for _, name := range []string{"closed4", "closed6"} {
		elements, err := h.elements(tables[at], name)
		c.Broken = c.Broken || err != nil
		for _, e := range elements {
			if a, ok := netip.AddrFromSlice(e.Key); ok {
				c.Addresses = append(c.Addresses, a)
			}
		}
	}
	rules, err := h.filter.GetRules(tables[at], &nftables.Chain{Name: closedChain, Table: tables[at]})
	c.Broken = c.Broken || err != nil || len(rules) != closedRules
	slices.SortFunc(c.Addresses, netip.Addr.Compare)
	return kernel.Things{{Closed: c}}
}

func (h *host) elements(t *nftables.Table, name string) ([]nftables.SetElement, error) {
	set, err := h.filter.GetSetByName(t, name)
	if err != nil {
		return nil, err
	}
	return h.filter.GetSetElements(set)
}

func (h *host) applyClosed(op kernel.Op) error {
	if h.filter == nil {
		return errors.New("this kernel has no nftables, which accept = false needs: load nf_tables")
	}
	t := &nftables.Table{Name: closedTable, Family: nftables.TableFamilyINet}
	h.filter.AddTable(t) // so that the next is no error
	h.filter.DelTable(t)
	if op.Kind != kernel.Delete {
		if err := h.close4and6(op.Thing.Closed.Addresses); err != nil {
			return err
		}
	}
	if err := h.filter.Flush(); err != nil {
		return fmt.Errorf("nftables: %w", err)
	}
	return nil
}

func (h *host) close4and6(all []netip.Addr) error {
	t := h.filter.AddTable(&nftables.Table{Name: closedTable, Family: nftables.TableFamilyINet})
	priority := nftables.ChainPriority(closedPriority)
	chain := h.filter.AddChain(&nftables.Chain{
		Name: closedChain, Table: t, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookInput, Priority: &priority,
	})
	var elements [2][]nftables.SetElement
	for _, a := range all {
		k := 0
		if a.Is6() {
			k = 1
		}
		elements[k] = append(elements[k], nftables.SetElement{Key: a.AsSlice()})
	}
	four := &nftables.Set{Table: t, Name: "closed4", KeyType: nftables.TypeIPAddr}
	six := &nftables.Set{Table: t, Name: "closed6", KeyType: nftables.TypeIP6Addr}
	if err := errors.Join(h.filter.AddSet(four, elements[0]), h.filter.AddSet(six, elements[1])); err != nil {
		return err
	}
	// Neighbours find and keep track of the address all the same (RFC 9568, 6.1).
	h.filter.AddRule(&nftables.Rule{Table: t, Chain: chain, Exprs: append(family(unix.NFPROTO_IPV6),
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_ICMPV6}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 1},
		&expr.Range{Op: expr.CmpOpEq, Register: 1, FromData: []byte{135}, ToData: []byte{136}},
		&expr.Verdict{Kind: expr.VerdictAccept})})
	h.filter.AddRule(&nftables.Rule{Table: t, Chain: chain, Exprs: dropTo(unix.NFPROTO_IPV4, 16, 4, four)})
	h.filter.AddRule(&nftables.Rule{Table: t, Chain: chain, Exprs: dropTo(unix.NFPROTO_IPV6, 24, 16, six)})
	return nil
}

func family(number byte) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{number}},
	}
}

// dropTo drops what goes to an address of a set; the destination is at an offset of the
// IP header.
func dropTo(number byte, offset, size uint32, set *nftables.Set) []expr.Any {
	return append(family(number),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: size},
		&expr.Lookup{SourceRegister: 1, SetName: set.Name, SetID: set.ID},
		&expr.Counter{},
		&expr.Verdict{Kind: expr.VerdictDrop})
}

// watchFilter tells of changes of nftables, whoever makes them, until its file is closed.
func watchFilter(changed chan<- struct{}) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	// The group is joined when it is of use, see followFilter.
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("bind", err)
	}
	f := os.NewFile(uintptr(fd), "nftables events")
	go func() {
		buf := make([]byte, 64<<10)
		for {
			if _, err := f.Read(buf); err != nil && !errors.Is(err, unix.ENOBUFS) {
				return
			}
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}()
	return f, nil
}

// followFilter begins or ends hearing of changes.
func followFilter(f *os.File, on bool) error {
	option := unix.NETLINK_ADD_MEMBERSHIP
	if !on {
		option = unix.NETLINK_DROP_MEMBERSHIP
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_NETLINK, option, unix.NFNLGRP_NFTABLES)
	})
	return errors.Join(err, failed)
}
