package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"github.com/BurntSushi/toml"

	"bailiff/rules/tomlkeys"
)

// Load reads a configuration file. An empty path means DefaultPath, which may be
// missing; a path that is given must exist. The error is an Errors.
func Load(path string) (*Config, error) {
	given := path != ""
	if !given {
		path = DefaultPath
	}
	text, err := read(path, given)
	if text == nil && err == nil {
		return Default(), nil
	}
	if err != nil {
		return nil, err
	}
	return Parse(path, text)
}

// Socket returns the control socket that a configuration file names, however wrong the rest
// of it is: the daemon runs on what it read before, and who must lift a ban now has no time
// to mend the file. The error is an Errors: there is no such file, it is not TOML, or the socket
// itself is wrong. Path is as for Load.
func Socket(path string) (string, error) {
	given := path != ""
	if !given {
		path = DefaultPath
	}
	text, err := read(path, given)
	if err != nil {
		return "", err
	}
	r, values, err := decode(path, text)
	if err != nil {
		return "", err
	}
	c := r.config(values)
	r.errors = slices.DeleteFunc(r.errors, func(e *Error) bool { return e.Key != "socket" })
	if err := sorted(r.errors); err != nil {
		return "", err
	}
	return c.Socket, nil
}

// read reads a configuration file. The error is an Errors; there is none, and no text, if
// path is not given and nothing is there.
func read(path string, given bool) ([]byte, error) {
	text, err := readFile(path)
	if !given && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		e := &Error{File: path}
		if !errors.As(err, &e) {
			e.Msg, e.hint = err.Error(), "name an existing file with --config, or leave it out for "+DefaultPath
			if errors.Is(err, fs.ErrPermission) {
				e.hint = "run as root, or name a file that you may read with --config"
			}
		}
		return nil, Errors{e}
	}
	return text, nil
}

// Parse reads a configuration from memory; name is what errors call it. It looks
// at nothing outside but the user database and, if the text sets it, whether
// rules_dir exists. The error is an Errors.
func Parse(name string, text []byte) (*Config, error) {
	r, values, err := decode(name, text)
	if err != nil {
		return nil, err
	}
	c := r.config(values)
	r.strangers()
	c.lines = r.lines
	if err := sorted(r.errors); err != nil {
		return nil, err
	}
	return c, nil
}

// decode reads TOML.
func decode(name string, text []byte) (*reader, map[string]any, error) {
	values := make(map[string]any)
	if _, err := toml.Decode(string(text), &values); err != nil {
		e := &Error{File: name, Msg: err.Error()}
		if syntax, ok := errors.AsType[toml.ParseError](err); ok {
			e.Line, e.Msg = max(syntax.Position.Line, 1), syntax.Message
			e.hint = "this is not TOML; https://toml.io shows the syntax"
		}
		return nil, nil, Errors{e}
	}
	return &reader{file: name, lines: tomlkeys.Locate(string(text))}, values, nil
}

// readFile reads the file after it made sure that nobody but root and the
// running user could have written it: whoever writes it decides who is locked
// out, and names files that root opens.
func readFile(path string) ([]byte, error) {
	// Opening a pipe would wait for somebody to write into it.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, reason(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	if err := trusted(path, info, os.Geteuid()); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, reason(err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("larger than %d KiB", maxFile>>10)
	}
	return text, nil
}

// reason drops the path from a path error: config.Error names it.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
