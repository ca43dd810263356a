package config

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestReadList(t *testing.T) {
	path := filepath.Join(t.TempDir(), "friends")
	write := func(text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	write("# the office\n192.0.2.1 # front door\n\n 2001:db8::/64\r\n::ffff:198.51.100.0/120\n", 0o644)
	got, err := ReadList(path)
	want := []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("2001:db8::/64"), netip.MustParsePrefix("198.51.100.0/24")}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{})); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	write("192.0.2.1\n192.0.2\n192.0.2.1/24\n", 0o644)
	_, err = ReadList(path)
	var errs Errors
	if !errors.As(err, &errs) || len(errs) != 2 || errs[0].Line != 2 || errs[1].Line != 3 || errs[1].Hint() == "" {
		t.Errorf("two bad lines: %v", err)
	}
	write("192.0.2.1\n", 0o666)
	if _, err := ReadList(path); err == nil {
		t.Error("a list that anybody may write is read")
	}
	if _, err := ReadList(path + ".none"); err == nil {
		t.Error("a list that is not there is read")
	}
}
