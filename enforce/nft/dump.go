package nft

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// readSize is what one read asks for. The kernel fills as much of it as a
// socket has shown it can take, up to 32 KiB, and walks a hash set from its
// start for each read: with reads of a page 100,000 elements take a second,
// with these an eighth of it.
const readSize = 64 << 10

// dumpAttempts bounds how often a dump that something came between is repeated.
const dumpAttempts = 20

// errInterrupted says that the ruleset changed during every attempt to read it.
var errInterrupted = errors.New("the ruleset changed while it was read")

// rawElement is one element of a set. Its slices are borrowed until the next.
type rawElement struct {
	key, keyEnd    []byte
	end            bool          // first address after an interval
	timed          bool          // ends by itself
	expires        time.Duration // in that time, if timed
	packets, bytes uint64
}

// reader reads sets: what the nftables library can do as well, eight times
// slower. It belongs to one goroutine.
type reader struct {
	socket   *netlink.Conn
	raw      syscall.RawConn
	patience time.Duration
	buf      []byte
}

func newReader(patience time.Duration) (*reader, error) {
	socket, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, err
	}
	r := &reader{socket: socket, patience: patience, buf: make([]byte, readSize)}
	if r.raw, err = socket.SyscallConn(); err == nil {
		err = socket.SetReadBuffer(socketBuffer)
	}
	if err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	return r, nil
}

func (r *reader) close() error { return r.socket.Close() }

// setID names a set.
type setID struct {
	family byte // unix.NFPROTO_…
	table  string
	name   string
}

// elements hands every element of a set to add, which says whether it is new
// to it. Each attempt begins with reset; after errInterrupted add has seen a
// last attempt that missed or repeated elements.
//
// The kernel remembers how far a dump has come as a number of elements. While
// it resizes a hash set, which it does behind the back of whoever filled it,
// their order changes: as many as come twice are missed, and nothing in the
// answer says so. That is why an element that is not new begins another attempt.
func (r *reader) elements(ctx context.Context, id setID, reset func(), add func(rawElement) bool) error {
	request := message(unix.NFT_MSG_GETSETELEM, netlink.Dump, id.family, text(unix.NFTA_SET_ELEM_LIST_TABLE, id.table),
		text(unix.NFTA_SET_ELEM_LIST_SET, id.name))
	for range dumpAttempts {
		if err := ctx.Err(); err != nil {
			return err
		}
		reset()
		repeated := false
		interrupted, err := r.dump(request, func(body []byte) {
			eachElement(body, func(e rawElement) { repeated = !add(e) || repeated })
		})
		if err != nil || !interrupted && !repeated {
			return err
		}
	}
	return errInterrupted
}

// setNames lists the sets of a table, none if there is no such table.
func (r *reader) setNames(ctx context.Context, family byte, table string) ([]string, error) {
	request := message(unix.NFT_MSG_GETSET, netlink.Dump, family, text(unix.NFTA_SET_TABLE, table))
	var names []string
	for range dumpAttempts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		names = nil
		interrupted, err := r.dump(request, func(body []byte) {
			for kind, value := range attributes(body) {
				if kind == unix.NFTA_SET_NAME {
					names = append(names, string(value[:max(0, len(value)-1)]))
				}
			}
		})
		switch {
		case errors.Is(err, unix.ENOENT):
			return nil, nil
		case err != nil || !interrupted:
			return names, err
		}
	}
	return names, errInterrupted
}

// find looks elements of one set up by their keys and hands those that are
// there to add.
func (r *reader) find(ctx context.Context, id setID, keys iter.Seq[[]byte], add func(rawElement)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var requests []netlink.Message
	for key := range keys {
		element := nested(unix.NFTA_LIST_ELEM, nested(unix.NFTA_SET_ELEM_KEY, attribute(unix.NFTA_DATA_VALUE, key)))
		requests = append(requests, message(unix.NFT_MSG_GETSETELEM, 0, id.family,
			text(unix.NFTA_SET_ELEM_LIST_TABLE, id.table), text(unix.NFTA_SET_ELEM_LIST_SET, id.name),
			nested(unix.NFTA_SET_ELEM_LIST_ELEMENTS, element)))
	}
	// Each request is answered once: by the element or by ENOENT.
	for batch := range slices.Chunk(requests, 500) {
		if _, err := r.socket.SendMessages(batch); err != nil {
			return err
		}
		for waiting := len(batch); waiting > 0; {
			err := r.receive(func(h syscall.NlMsghdr, body []byte) error {
				waiting--
				if h.Type == unix.NLMSG_ERROR {
					if errno := errnoOf(body); !errors.Is(errno, unix.ENOENT) {
						return errno
					}
					return nil
				}
				eachElement(body[min(nfgenmsgLen, len(body)):], add)
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// dump sends a dump request and hands the attributes of each answer to f. It
// reports whether a commit came between.
func (r *reader) dump(request netlink.Message, f func(body []byte)) (interrupted bool, err error) {
	if _, err := r.socket.Send(request); err != nil {
		return false, err
	}
	for done := false; !done; {
		err := r.receive(func(h syscall.NlMsghdr, body []byte) error {
			interrupted = interrupted || h.Flags&unix.NLM_F_DUMP_INTR != 0
			switch h.Type {
			case unix.NLMSG_DONE:
				done = true
			case unix.NLMSG_ERROR:
				return errnoOf(body)
			default:
				f(body[min(nfgenmsgLen, len(body)):])
			}
			return nil
		})
		if errors.Is(err, unix.EINTR) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return interrupted, nil
}

// receive makes one read and hands each message in it to f, up to its first
// error.
func (r *reader) receive(f func(h syscall.NlMsghdr, body []byte) error) error {
	if err := r.socket.SetReadDeadline(time.Now().Add(r.patience)); err != nil {
		return err
	}
	var n int
	var errno error
	err := r.raw.Read(func(fd uintptr) bool {
		n, _, errno = unix.Recvfrom(int(fd), r.buf, unix.MSG_DONTWAIT)
		return errno != unix.EAGAIN && errno != unix.EINTR
	})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errDeaf
	}
	if err = errors.Join(err, errno); err != nil {
		return err
	}
	for h, body := range messages(r.buf[:n]) {
		if err := f(h, body); err != nil {
			return err
		}
	}
	return nil
}

// nfgenmsgLen is the length of the header that precedes the attributes:
// family, version, resource (linux/netfilter/nfnetlink.h).
const nfgenmsgLen = 4

// message makes a request about nf_tables.
func message(kind int, flags netlink.HeaderFlags, family byte, attrs ...[]byte) netlink.Message {
	return netlink.Message{
		Header: netlink.Header{
			Type:  netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | kind),
			Flags: netlink.Request | flags,
		},
		Data: append([]byte{family, 0, 0, 0}, slices.Concat(attrs...)...),
	}
}

// attribute encodes one netlink attribute.
func attribute(kind uint16, value []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(unix.NLA_HDRLEN+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	return append(b, make([]byte, -len(value)&3)...)
}

func text(kind uint16, s string) []byte { return attribute(kind, append([]byte(s), 0)) }

func nested(kind uint16, value []byte) []byte { return attribute(kind|unix.NLA_F_NESTED, value) }

// messages splits what one read returned. It stops at what is no message.
func messages(b []byte) iter.Seq2[syscall.NlMsghdr, []byte] {
	return func(yield func(syscall.NlMsghdr, []byte) bool) {
		for len(b) >= unix.NLMSG_HDRLEN {
			h := syscall.NlMsghdr{
				Len:   binary.NativeEndian.Uint32(b),
				Type:  binary.NativeEndian.Uint16(b[4:]),
				Flags: binary.NativeEndian.Uint16(b[6:]),
				Seq:   binary.NativeEndian.Uint32(b[8:]),
				Pid:   binary.NativeEndian.Uint32(b[12:]),
			}
			if h.Len < unix.NLMSG_HDRLEN || int64(h.Len) > int64(len(b)) {
				return
			}
			if !yield(h, b[unix.NLMSG_HDRLEN:h.Len]) {
				return
			}
			b = b[min(len(b), (int(h.Len)+3)&^3):]
		}
	}
}

// attributes splits a sequence of attributes. It stops at what is none.
func attributes(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.NLA_HDRLEN {
			n := int(binary.NativeEndian.Uint16(b))
			kind := binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
			if n < unix.NLA_HDRLEN || n > len(b) {
				return
			}
			if !yield(kind, b[unix.NLA_HDRLEN:n]) {
				return
			}
			b = b[min(len(b), (n+3)&^3):]
		}
	}
}

// eachElement hands the elements of one answer to add.
func eachElement(body []byte, add func(rawElement)) {
	for kind, list := range attributes(body) {
		if kind != unix.NFTA_SET_ELEM_LIST_ELEMENTS {
			continue
		}
		for _, element := range attributes(list) {
			add(parseElement(element))
		}
	}
}

// parseElement reads one element (linux/netfilter/nf_tables.h,
// enum nft_set_elem_attributes).
func parseElement(b []byte) rawElement {
	const keyEnd = 10 // NFTA_SET_ELEM_KEY_END
	var e rawElement
	for kind, value := range attributes(b) {
		switch kind {
		case unix.NFTA_SET_ELEM_KEY:
			e.key = first(value, unix.NFTA_DATA_VALUE)
		case keyEnd:
			e.keyEnd = first(value, unix.NFTA_DATA_VALUE)
		case unix.NFTA_SET_ELEM_FLAGS:
			e.end = len(value) == 4 && binary.BigEndian.Uint32(value)&unix.NFT_SET_ELEM_INTERVAL_END != 0
		case unix.NFTA_SET_ELEM_EXPIRATION:
			e.timed = true
			e.expires = time.Duration(bigUint64(value)) * time.Millisecond
		case unix.NFTA_SET_ELEM_EXPR:
			for kind, value := range attributes(first(value, unix.NFTA_EXPR_DATA)) {
				switch kind {
				case unix.NFTA_COUNTER_PACKETS:
					e.packets = bigUint64(value)
				case unix.NFTA_COUNTER_BYTES:
					e.bytes = bigUint64(value)
				}
			}
		}
	}
	return e
}

// first returns the first attribute of that kind.
func first(b []byte, want uint16) []byte {
	for kind, value := range attributes(b) {
		if kind == want {
			return value
		}
	}
	return nil
}

func bigUint64(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

// errnoOf reads the error of an NLMSG_ERROR; a success is no answer here.
func errnoOf(body []byte) error {
	if len(body) < 4 {
		return fmt.Errorf("netlink error of %d bytes", len(body))
	}
	return syscall.Errno(-int32(binary.NativeEndian.Uint32(body)))
}
