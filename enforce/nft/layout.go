package nft

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"bailiff/decide"
)

// layoutMark is the comment of our sets. A set without it was made by
// somebody else or by another version, and the table is rebuilt.
const layoutMark = "bailiff layout 1"

// The chains.
const (
	refuseChain   = "refuse"   // prerouting: asks the sets, fences loopback listeners
	answerChain   = "answer"   // where _reject sets send their packets
	loopbackChain = "loopback" // output: who may write to our listeners
)

// refusePriority is raw (−300) − 10: after defragmentation (−400), before
// conntrack (−200).
const refusePriority = nftables.ChainPriority(-310)

// loopbackPriority is after the destination NAT of the output hook (−100), so
// that the port is the one the packet arrives at.
const loopbackPriority = nftables.ChainPriority(0)

// protocols are the transport protocols a ban can be limited to.
var protocols = map[string]uint8{"tcp": unix.IPPROTO_TCP, "udp": unix.IPPROTO_UDP}

// shape is what all elements of one set have in common.
type shape struct {
	v6      bool
	bits    int  // prefix length
	ports   bool // limited to ports
	verdict decide.Verdict
}

// baseShapes are the sets that exist from the start.
var baseShapes = []shape{{bits: 32}, {v6: true, bits: 128}, {v6: true, bits: 64}}

// plainShape is where a prefix is banned unless its decision says more.
func plainShape(p netip.Prefix) shape {
	return shape{v6: p.Addr().Is6(), bits: p.Bits()}
}

// name is the name of the set.
func (s shape) name() string {
	family, host := "4", 32
	if s.v6 {
		family, host = "6", 128
	}
	var b strings.Builder
	switch {
	case s.ports:
		b.WriteString("ports")
	case s.bits == host, s.v6 && s.bits == 64:
		b.WriteString("banned")
	default:
		b.WriteString("net")
	}
	b.WriteString(family)
	if s.bits != host {
		b.WriteString("_" + strconv.Itoa(s.bits))
	}
	if s.verdict == decide.Reject {
		b.WriteString("_reject")
	}
	return b.String()
}

// parseShape is the inverse of name.
func parseShape(name string) (shape, bool) {
	var s shape
	rest, reject := strings.CutSuffix(name, "_reject")
	if reject {
		s.verdict = decide.Reject
	}
	head, bits, sized := strings.Cut(rest, "_")
	s.ports = strings.HasPrefix(head, "ports")
	s.v6 = strings.HasSuffix(head, "6")
	s.bits = 32
	if s.v6 {
		s.bits = 128
	}
	if sized {
		n, err := strconv.Atoi(bits)
		if err != nil || n < 0 || n > s.bits {
			return shape{}, false
		}
		s.bits = n
	}
	return s, s.name() == name
}

// keyType is the nftables type of the elements.
func (s shape) keyType() nftables.SetDatatype {
	addr := nftables.TypeIPAddr
	if s.v6 {
		addr = nftables.TypeIP6Addr
	}
	if !s.ports {
		return addr
	}
	return nftables.MustConcatSetType(addr, nftables.TypeInetProto, nftables.TypeInetService)
}

// set describes the set to the kernel.
func (s shape) set(t *nftables.Table) *nftables.Set {
	return &nftables.Set{
		Table:         t,
		Name:          s.name(),
		KeyType:       s.keyType(),
		KeyByteOrder:  binaryutil.BigEndian,
		Concatenation: s.ports,
		HasTimeout:    true,
		Counter:       true,
		Comment:       layoutMark,
	}
}

// made says whether a set found in the kernel is one that s would make.
func (s shape) made(set *nftables.Set) bool {
	return set.KeyType.Name == s.keyType().Name && set.HasTimeout && !set.Interval && !set.IsMap &&
		set.Timeout == 0 && set.Size == 0 && set.Comment == layoutMark
}

// rule asks the set: load the source address, cut it to the prefix length,
// append protocol and port where the set has them, and drop what is found.
func (s shape) rule() []expr.Any {
	family, offset, length := byte(unix.NFPROTO_IPV4), uint32(12), uint32(4)
	proto, port := uint32(unix.NFT_REG32_01), uint32(unix.NFT_REG32_02)
	if s.v6 {
		family, offset, length = unix.NFPROTO_IPV6, 8, 16
		proto, port = unix.NFT_REG32_04, unix.NFT_REG32_05
	}
	es := []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{family}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: length},
	}
	if s.bits < int(length)*8 {
		es = append(es, &expr.Bitwise{
			SourceRegister: 1, DestRegister: 1, Len: length,
			Mask: mask(s.bits, int(length)), Xor: make([]byte, length),
		})
	}
	if s.ports {
		es = append(es,
			&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: proto},
			&expr.Payload{DestRegister: port, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2})
	}
	es = append(es, &expr.Lookup{SourceRegister: 1, SetName: s.name()})
	if s.verdict == decide.Reject {
		return append(es, &expr.Verdict{Kind: expr.VerdictGoto, Chain: answerChain})
	}
	return append(es, &expr.Verdict{Kind: expr.VerdictDrop})
}

// mask is a netmask of that many bits in that many bytes.
func mask(bits, length int) []byte {
	m := make([]byte, length)
	for i := range bits {
		m[i/8] |= 0x80 >> (i % 8)
	}
	return m
}

// refuse is the chain that asks the sets.
func refuse() chain {
	return chain{name: refuseChain, hook: nftables.ChainHookPrerouting, priority: refusePriority}
}

// answer is the chain of the reject verdict: a reset for TCP, "port
// unreachable" for the rest. Prerouting may reject since Linux 5.9
// (net/netfilter/nft_reject.c, nft_reject_validate).
func answer() chain {
	const icmpxPortUnreach = 1 // NFT_REJECT_ICMPX_PORT_UNREACH
	return chain{name: answerChain, rules: [][]expr.Any{
		{
			&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
			&expr.Reject{Type: unix.NFT_REJECT_TCP_RST},
		},
		{&expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: icmpxPortUnreach}},
	}}
}

// loopback is the chain that guards listeners.
func loopback() chain {
	return chain{name: loopbackChain, hook: nftables.ChainHookOutput, priority: loopbackPriority}
}

// table is our table.
func (f *Firewall) table() *nftables.Table {
	return &nftables.Table{Name: f.opt.Table, Family: nftables.TableFamilyINet}
}

// chains are the chains that must exist for these sets, with their rules; one
// that is reached by goto precedes the one that goes there.
func (f *Firewall) chains(sets []shape) []chain {
	asks, guards := refuse(), loopback()
	rejects := false
	for _, s := range sets {
		asks.rules = append(asks.rules, s.rule())
		rejects = rejects || s.verdict == decide.Reject
	}
	for _, l := range f.listeners {
		guards.rules = append(guards.rules, l.rules()...)
		asks.rules = append(asks.rules, l.fromOutside())
	}
	var chains []chain
	if rejects {
		chains = append(chains, answer())
	}
	chains = append(chains, asks)
	if len(guards.rules) > 0 {
		chains = append(chains, guards)
	}
	return chains
}

// chain is a chain and its rules; without a hook it is reached by goto.
type chain struct {
	name     string
	hook     *nftables.ChainHook
	priority nftables.ChainPriority
	rules    [][]expr.Any
}

// describe is the chain in the kernel's terms. Base chains accept what no
// rule refuses.
func (ch chain) describe(t *nftables.Table) *nftables.Chain {
	if ch.hook == nil {
		return &nftables.Chain{Name: ch.name, Table: t}
	}
	accept := nftables.ChainPolicyAccept
	return &nftables.Chain{
		Name: ch.name, Table: t, Type: nftables.ChainTypeFilter,
		Hooknum: ch.hook, Priority: &ch.priority, Policy: &accept,
	}
}

// made says whether a chain found in the kernel is one that ch would make.
func (ch chain) made(c *nftables.Chain) bool {
	if ch.hook == nil {
		return c.Hooknum == nil
	}
	return c.Hooknum != nil && *c.Hooknum == *ch.hook && *c.Priority == ch.priority &&
		c.Type == nftables.ChainTypeFilter && c.Policy != nil && *c.Policy == nftables.ChainPolicyAccept
}

// target is what one element refuses: a prefix, and where the set has ports,
// a protocol number and a port.
type target struct {
	prefix netip.Prefix
	proto  uint8
	port   uint16
}

// String names the target for a log line.
func (t target) String() string {
	if t.proto == 0 {
		return t.prefix.String()
	}
	return fmt.Sprintf("%v proto %d port %d", t.prefix, t.proto, t.port)
}

// key is the element of t. The fields of a concatenation are padded to four
// bytes each (net/netfilter/nf_tables_api.c, NFT_REG32_SIZE).
func (t target) key(s shape) []byte {
	key := t.prefix.Addr().AsSlice()
	if s.ports {
		key = append(key, t.proto, 0, 0, 0, byte(t.port>>8), byte(t.port), 0, 0)
	}
	return key
}

// target is the inverse of key; false says that no ban of this shape has
// such an element.
func (s shape) target(key []byte) (target, bool) {
	length := 4
	if s.v6 {
		length = 16
	}
	want := length
	if s.ports {
		want += 8
	}
	if len(key) != want {
		return target{}, false
	}
	addr, _ := netip.AddrFromSlice(key[:length])
	t := target{prefix: netip.PrefixFrom(addr, s.bits)}
	if s.ports {
		t.proto = key[length]
		t.port = uint16(key[length+4])<<8 | uint16(key[length+5])
	}
	return t, t.prefix == t.prefix.Masked()
}
