package nft

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// loopbackIndex is the interface index of lo in every network namespace
// (include/net/flow.h, LOOPBACK_IFINDEX).
const loopbackIndex = 1

// Listener is a port of ours on loopback and the users who may write to it.
type Listener struct {
	// Proto is "tcp" or "udp".
	Proto string
	Port  uint16
	// UIDs are the users who may write to it; nobody else may, and no
	// packet whose sender the kernel cannot name.
	UIDs []uint32
}

// Guard lets only the named users write to our loopback listeners, over IPv4
// and IPv6. It replaces what an earlier Guard asked for, takes effect before it
// returns, and is restored by Sync. Call it before the port is opened: the
// rules outlive Close, and a guarded port without a listener harms nobody.
//
// The user is that of the socket a packet leaves by (meta skuid). What comes
// from another machine has none; it is dropped at prerouting, for where
// route_localnet is set, as container runtimes do, the kernel would deliver it.
func (f *Firewall) Guard(ctx context.Context, listeners []Listener) error {
	for _, l := range listeners {
		if protocols[l.Proto] == 0 {
			return fmt.Errorf("guard listener: protocol %q: want tcp or udp", l.Proto)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listeners = slices.Clone(listeners)
	if !f.loaded {
		return f.lost(f.load(ctx))
	}
	return f.lost(f.arrange(ctx, nil))
}

// rules accept the allowed users and drop the rest.
func (l Listener) rules() [][]expr.Any {
	var rules [][]expr.Any
	for _, uid := range l.UIDs {
		rules = append(rules, append(l.toListener(),
			&expr.Meta{Key: expr.MetaKeySKUID, Register: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.NativeEndian.PutUint32(uid)},
			&expr.Verdict{Kind: expr.VerdictAccept}))
	}
	return append(rules, append(l.toListener(), &expr.Verdict{Kind: expr.VerdictDrop}))
}

// fromOutside drops what another machine sends to the listener. Of IPv6 the
// kernel refuses ::1 from outside always.
func (l Listener) fromOutside() []expr.Any {
	const daddrOffset = 16 // RFC 791 section 3.1
	match := []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.NFPROTO_IPV4}},
		&expr.Meta{Key: expr.MetaKeyIIF, Register: 1},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: binaryutil.NativeEndian.PutUint32(loopbackIndex)},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: daddrOffset, Len: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{127}},
	}
	return append(append(match, l.port()...), &expr.Verdict{Kind: expr.VerdictDrop})
}

// toListener matches what is sent to the listener over lo. Of TCP it takes
// what opens a connection only: the last segments of a closing one belong to
// no socket any more, and there would be no user to ask for.
func (l Listener) toListener() []expr.Any {
	match := []expr.Any{
		&expr.Meta{Key: expr.MetaKeyOIF, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.NativeEndian.PutUint32(loopbackIndex)},
	}
	match = append(match, l.port()...)
	if protocols[l.Proto] != unix.IPPROTO_TCP {
		return match
	}
	const flagsOffset, syn = 13, 0x02 // RFC 9293 section 3.1
	return append(match,
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: flagsOffset, Len: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{syn}, Xor: []byte{0}},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: []byte{0}})
}

// port matches the protocol and the destination port.
func (l Listener) port() []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{protocols[l.Proto]}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.BigEndian.PutUint16(l.Port)},
	}
}
