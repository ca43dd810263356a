package nft

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// watch listens to the kernel's notifications of ruleset changes, which carry
// the port ID of the socket that made the change.
type watch struct {
	table  []byte // with its closing NUL, as in messages
	socket *netlink.Conn
	own    atomic.Uint32 // port ID of our own changes
	broken chan struct{}
	begin  sync.Once
	run    sync.WaitGroup
}

func newWatch(table string) (*watch, error) {
	socket, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, err
	}
	w := &watch{table: append([]byte(table), 0), socket: socket, broken: make(chan struct{}, 1)}
	if err := socket.JoinGroup(unix.NFNLGRP_NFTABLES); err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	return w, nil
}

// ignore takes the changes made by portID for our own. The filter in the
// kernel keeps them out of the queue, which 100,000 bans would overflow.
func (w *watch) ignore(portID uint32) error {
	w.own.Store(portID)
	const pidOffset = 12 // in struct nlmsghdr; BPF loads big-endian
	stored := binary.NativeEndian.AppendUint32(nil, portID)
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: pidOffset},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: binary.BigEndian.Uint32(stored), Jt: 0, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},
	}
	raw, err := w.socket.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = raw.Control(func(fd uintptr) {
		set = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
			&unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
	})
	return errors.Join(err, set)
}

// start listens from the first call on.
func (w *watch) start() <-chan struct{} {
	w.begin.Do(func() { w.run.Go(w.listen) })
	return w.broken
}

// close ends listening.
func (w *watch) close() error {
	err := w.socket.Close()
	w.begin.Do(func() {}) // a later start finds nothing to listen to
	w.run.Wait()
	return err
}

// listen ends when the socket is closed.
func (w *watch) listen() {
	for {
		messages, err := w.socket.Receive()
		switch {
		case errors.Is(err, unix.ENOBUFS): // the queue ran over: anything may have happened
			w.fire()
			continue
		case err != nil:
			return
		}
		if slices.ContainsFunc(messages, w.foreign) {
			w.fire()
		}
	}
}

// foreign says whether somebody else touched our table.
func (w *watch) foreign(m netlink.Message) bool {
	if m.Header.Type>>8 != unix.NFNL_SUBSYS_NFTABLES || m.Header.Type&0xff == unix.NFT_MSG_NEWGEN ||
		m.Header.PID == w.own.Load() || len(m.Data) < nfgenmsgLen || m.Data[0] != unix.NFPROTO_INET {
		return false
	}
	// The table's name is attribute 1 of tables, chains, rules, sets,
	// elements and objects alike.
	return bytes.Equal(first(m.Data[nfgenmsgLen:], unix.NFTA_TABLE_NAME), w.table)
}

// fire makes the channel yield once, however often it is called before that.
func (w *watch) fire() {
	select {
	case w.broken <- struct{}{}:
	default:
	}
}
