package nft

import (
	"bytes"

	"golang.org/x/sys/unix"
)

// Foreign reads notifications, in place of the goroutine that Broken starts,
// up to one about the table marker. It says whether any before it would have
// been taken for a foreign change, or was lost.
func (f *Firewall) Foreign(marker string) (bool, error) {
	foreign := false
	for {
		messages, err := f.watch.socket.Receive()
		if err != nil {
			return foreign, err
		}
		for _, m := range messages {
			table := first(m.Data[nfgenmsgLen:], unix.NFTA_TABLE_NAME)
			if bytes.Equal(table, append([]byte(marker), 0)) {
				return foreign, nil
			}
			foreign = foreign || f.watch.foreign(m)
		}
	}
}
