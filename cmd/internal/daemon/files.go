package daemon

import (
	"fmt"

	"bailiff/ingest"
	"bailiff/ingest/file"
	"bailiff/store"
)

// openFiles makes the source of log files c.Files[i], which resumes where the
// record says. A first start begins at the end of the files, and puts that on
// record at once: what is written before the first line is read is not passed
// over if bailiff is stopped meanwhile.
func (d *daemon) openFiles(i int) (ingest.Source, error) {
	opt := d.opt.Config.Files[i].Options()
	opt.Logger = d.log.With("part", "file")
	cursor, known, err := d.store.Mark(opt.Name)
	if err != nil {
		return nil, fmt.Errorf("find the position of %s: %w", opt.Name, err)
	}
	opt.Cursor = cursor
	s, err := file.New(opt)
	if err != nil || known {
		return s, err
	}
	begin := store.Batch{Marks: []ingest.Mark{{Source: opt.Name, Cursor: s.Begin()}}}
	// Without a record the source begins at the end again, and the store says
	// that it is in trouble.
	_ = d.store.Commit(begin)
	return s, nil
}

// writable tells who besides root can write lines into the files that are read.
func (d *daemon) writable() (warnings []string) {
	for i := range d.opt.Config.Files {
		warnings = append(warnings, file.Writers(d.opt.Config.Files[i].Paths)...)
	}
	return warnings
}
