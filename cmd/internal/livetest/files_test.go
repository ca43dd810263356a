package livetest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"bailiff/cmd/internal/admin"
	"bailiff/enforce/nft/nfttest"
)

// logFile is a log that a daemon writes and somebody rotates.
type logFile struct {
	t     *testing.T
	path  string
	f     *os.File
	turns int
}

func openLog(t *testing.T, path string) *logFile {
	l := &logFile{t: t, path: path}
	l.open()
	t.Cleanup(func() { l.f.Close() })
	return l
}

func (l *logFile) open() {
	l.t.Helper()
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		l.t.Fatal(err)
	}
	l.f = f
}

func (l *logFile) say(message string) {
	l.t.Helper()
	if _, err := fmt.Fprintf(l.f, "%s pbx sshd[7]: %s\n", time.Now().Format(time.Stamp), message); err != nil {
		l.t.Fatal(err)
	}
}

// rotate renames the log and copies and truncates it by turns.
func (l *logFile) rotate() {
	l.t.Helper()
	l.turns++
	old := fmt.Sprintf("%s.%d", l.path, l.turns)
	var err error
	if l.turns%2 == 0 {
		err = os.Rename(l.path, old)
		l.f.Close()
		l.open()
	} else {
		var text []byte
		if text, err = os.ReadFile(l.path); err == nil {
			err = os.WriteFile(old, text, 0o640)
		}
		if err == nil {
			err = os.Truncate(l.path, 0)
		}
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

// TestKilledInTheMiddleOfAFile kills bailiff again and again while a log is
// written to and rotated, also while nobody reads it. Every address is written
// four or five times: those with five are banned, once, and those with four stand
// at four.
func TestKilledInTheMiddleOfAFile(t *testing.T) {
	for _, glob := range []string{"auth.log", "auth.log*"} {
		t.Run(glob, func(t *testing.T) {
			nfttest.Need(t)
			nfttest.Fresh(t)
			dir := t.TempDir()
			log := openLog(t, filepath.Join(dir, "auth.log"))
			// What was there before is not read.
			for range 5 {
				log.say("Failed password for root from 203.0.113.1 port 4 ssh2")
			}
			b := newBailiff(t, fmt.Sprintf(`
[source.journald]
enabled = false
[[source.file]]
name = "files"
path = [%q]
`, filepath.Join(dir, glob))+jailSSH)
			b.Start()

			const addrs, kills = 100, 8
			var lines []string
			for round := 1; round <= 5; round++ {
				for i := 1; i <= addrs; i++ {
					if round < 5 || i%2 == 0 {
						lines = append(lines, fmt.Sprintf("Failed password for root from 198.51.100.%d port %d ssh2", i, 40000+round))
					}
				}
			}
			part := len(lines) / kills
			for i, line := range lines {
				log.say(line)
				switch i % part {
				case part / 3:
					log.rotate()
				case part / 2:
					b.Kill()
				case part * 2 / 3:
					log.rotate()
				case part * 3 / 4:
					b.Start()
				}
			}
			Eventually(t, "all bans", func() bool { return len(b.Bans()) >= addrs/2 })
			for i := 1; i <= addrs; i++ {
				addr := fmt.Sprintf("198.51.100.%d", i)
				var why admin.Why
				b.JSON(&why, "why", addr)
				if i%2 == 0 {
					if !why.Banned || len(why.Decisions) != 1 || why.Decisions[0].Strike != 1 || why.Decisions[0].Attempts != 5 {
						t.Errorf("%s: %+v, want one ban for five attempts", addr, why)
					}
					continue
				}
				if why.Banned || len(why.Jails) != 1 || why.Jails[0].Attempts != 4 {
					t.Errorf("%s: %+v, want four attempts and no ban", addr, why)
				}
			}
			if _, banned := b.Banned("203.0.113.1/32"); banned {
				t.Error("lines from before the first start were read")
			}
			if n := b.Count("files", "gaps"); n != 0 {
				t.Errorf("%d gaps", n)
			}
			b.Stop()
		})
	}
}

// TestFileTrouble holds what status says of files that cannot be read and of files
// that anybody can write to.
func TestFileTrouble(t *testing.T) {
	nfttest.Need(t)
	nfttest.Fresh(t)
	dir := t.TempDir()
	b := newBailiff(t, fmt.Sprintf("[source.journald]\nenabled = false\n[[source.file]]\nname = \"files\"\npath = [%q]\n", dir+"/d/auth.log")+jailSSH)
	b.Start()
	files := func() admin.Source {
		for _, s := range b.Status().Sources {
			if s.Name == "files" {
				return s
			}
		}
		t.Fatal("no source of files")
		return admin.Source{}
	}
	if s := files(); s.OK || s.Hint == "" || s.Detail != "0 files" {
		t.Errorf("without its directory the source is %+v", s)
	}
	if err := os.Mkdir(dir+"/d", 0o755); err != nil {
		t.Fatal(err)
	}
	log := openLog(t, dir+"/d/auth.log")
	for range 5 {
		log.say("Failed password for root from 198.51.100.9 port 4 ssh2")
	}
	b.AwaitBan("198.51.100.9/32")
	if s := files(); !s.OK || s.Detail != "1 file" {
		t.Errorf("with its directory the source is %+v", s)
	}
	if w := b.Status().Warnings; len(w) != 0 {
		t.Errorf("warnings: %q", w)
	}
	if err := os.Chmod(log.path, 0o646); err != nil {
		t.Fatal(err)
	}
	if w := b.Status().Warnings; len(w) != 1 {
		t.Errorf("warnings: %q", w)
	}
	b.Stop()
}
