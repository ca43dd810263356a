package rules

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

//go:embed packs/*.toml
var shipped embed.FS

// embedded is how the file names of shipped packs begin.
const embedded = "embedded/"

// Embedded returns the shipped packs, sorted by file name. It is an error of the
// build if one does not load. What takes long to check is left to Pack.Check.
func Embedded() ([]*Pack, error) {
	files, err := fs.Glob(shipped, "packs/*.toml")
	if err != nil {
		return nil, err
	}
	var packs []*Pack
	var errs []error
	for _, file := range files {
		data, err := shipped.ReadFile(file)
		if err != nil {
			return nil, err
		}
		text := string(data)
		p, err := readPack(origin{file: embedded + file, lines: linesOf(text), shipped: true}, withoutSamples(text), nil)
		packs, errs = append(packs, p), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return packs, nil
}

// Source returns the text of a shipped pack; false if none has the name.
func Source(name string) ([]byte, bool) {
	data, err := shipped.ReadFile("packs/" + name + ".toml")
	return data, err == nil
}

// withoutSamples leaves out the samples and comments, which are most of a shipped pack
// and mean nothing to a daemon. None of its values has several lines of which one begins
// with a bracket or a number sign.
func withoutSamples(text string) string {
	var out strings.Builder
	sample := false
	for line := range strings.Lines(text) {
		begin := strings.TrimLeft(line, " ")
		if strings.HasPrefix(begin, "[") {
			sample = strings.HasPrefix(begin, "[[rule.sample]]")
		}
		if !sample && !strings.HasPrefix(begin, "#") {
			out.WriteString(line)
		}
	}
	return out.String()
}

// whole returns p with its samples and fully checked, which a shipped pack is not.
func (p *Pack) whole() (*Pack, error) {
	if !p.shipped {
		return p, nil
	}
	data, err := shipped.ReadFile(strings.TrimPrefix(p.File, embedded))
	if err != nil {
		return nil, err
	}
	if p, err = Parse(p.File, data); err != nil {
		return nil, err
	}
	found := &problems{origin: p.origin}
	for i, r := range p.rules {
		if len(r.samples) == 0 {
			found.add(fmt.Sprintf("rule[%d]", i), r.Name, errors.New("the rule has no sample"))
		}
	}
	return p, found.err()
}

// file is a pack that was not read yet.
type file struct {
	path string
	data []byte
}

// readDir reads the files *.toml of a directory, sorted by name. A file must
// belong to root or to the user that runs, and nobody else may write to it or to the
// directory: rules decide who is banned. The error joins those of all files; it
// wraps [fs.ErrNotExist] if there is no directory.
func readDir(dir string) ([]file, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	if err := trusted(dir, info); err != nil {
		return nil, err
	}
	var files []file
	var errs []error
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") || filepath.Ext(entry.Name()) != ".toml" {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		data, err := read(path)
		files, errs = append(files, file{path, data}), append(errs, err)
	}
	return files, errors.Join(errs...)
}

// read reads one file that its owner alone may have written.
func read(path string) ([]byte, error) {
	// Opening a pipe would wait for somebody to write into it.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, unreadable(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, unreadable(path, errors.New("not a regular file"))
	}
	if err := trusted(path, info); err != nil {
		return nil, err
	}
	data := make([]byte, info.Size())
	if _, err := file.ReadAt(data, 0); err != nil {
		return nil, unreadable(path, err)
	}
	return data, nil
}

// unreadable is the error of a pack that cannot even be read.
func unreadable(path string, err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err // Error names the file
	}
	return &Error{File: path, Msg: err.Error(), Remedy: "make it a file that this user may read, or remove it from the rules directory"}
}

// trusted returns an *Error if somebody else may write to what info is about.
func trusted(path string, info fs.FileInfo) error {
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return &Error{File: path, Msg: fmt.Sprintf("owned by user %d, not by root", st.Uid), Remedy: "chown root " + path}
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return &Error{
			File: path, Msg: fmt.Sprintf("mode %04o lets others than the owner write to it", mode),
			Remedy: "chmod go-w " + path,
		}
	}
	return nil
}
