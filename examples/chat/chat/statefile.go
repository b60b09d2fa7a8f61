package chat

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

// NoState is the Options.StateFile of a chat that keeps no state.
const NoState = "none"

// A stateFile keeps the chat's state from one run of the program to the next. It
// exists only while the program does not run: it is written at the end of a planned
// stop, and removed when it has been read. After a crash there is none, so that an
// older state never comes back.
//
// A process that uses the file holds a lock, on a second file beside it. The lock
// belongs to the process and not to the file's existence: it ends with the process,
// however that ends, and the lock file stays.
//
// A nil stateFile keeps nothing.
type stateFile struct {
	name string
	lock io.Closer
}

// errStateLocked says that another process uses the file.
var errStateLocked = errors.New("another process uses it")

// openStateFile locks the file, which need not exist, and makes sure that it can be
// written later. The error may wrap errStateLocked, or errors.ErrUnsupported where
// there are no locks.
func openStateFile(name string) (*stateFile, error) {
	// A directory, a device or a pipe gets no lock file beside it.
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	lock, err := lockFile(name + ".lock")
	if err != nil {
		return nil, err
	}
	f := &stateFile{name: name, lock: lock}
	tmp, err := f.create()
	if err == nil {
		err = errors.Join(tmp.Close(), os.Remove(tmp.Name()))
	}
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// openState opens the options' state file. Nil means that no state is kept.
func (o Options) openState(keyFile string, log *slog.Logger) (*stateFile, error) {
	if o.StateFile == NoState || o.Backplane != nil {
		return nil, nil
	}
	name := o.StateFile
	if name == "" {
		name = keyFile + ".state"
	}
	f, err := openStateFile(name)
	if o.StateFile == "" && (errors.Is(err, errStateLocked) || errors.Is(err, errors.ErrUnsupported)) {
		log.Warn("no state is kept, so the next restart is a gap; name another file with -state", "state", name, "error", err)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the state file %s: %w", name, err)
	}
	return f, nil
}

// close lets another process use the file.
func (f *stateFile) close() error {
	if f == nil {
		return nil
	}
	return f.lock.Close()
}

// failed says which file an error is about.
func (f *stateFile) failed(err error) error { return fmt.Errorf("the state file %s: %w", f.name, err) }

// create makes a temporary file beside the file, which only the owner can read.
func (f *stateFile) create() (*os.File, error) {
	return os.CreateTemp(filepath.Dir(f.name), filepath.Base(f.name)+".*")
}

// restore opens a server with the state that the file keeps, or an empty one if
// there is no file. Then it removes the file. A state that cannot be used is moved
// aside, and the server is empty. A file that is no state is an error, and is not
// touched.
func (f *stateFile) restore(log *slog.Logger, open func(*saved) (*server, error)) (*server, error) {
	if f == nil {
		return open(nil)
	}
	file, err := os.Open(f.name)
	if errors.Is(err, fs.ErrNotExist) {
		return open(nil)
	}
	if err != nil {
		return nil, f.failed(err)
	}
	from, err := readSaved(file)
	var chat *server
	if err == nil {
		chat, err = open(from)
	}
	file.Close() // it was only read
	switch {
	case errors.Is(err, errSavedVersion), errors.Is(err, errSavedDamaged):
		aside := f.name + ".bad"
		if err := os.Rename(f.name, aside); err != nil {
			return nil, f.failed(err)
		}
		log.Warn("the chat starts empty, and its clients are told of a gap", "error", err, "moved to", aside)
		return open(nil)
	case err != nil:
		return nil, f.failed(err)
	}
	// Before anybody is served: what is published from now on is not in it.
	if err := os.Remove(f.name); err != nil {
		chat.abandon()
		return nil, f.failed(err)
	}
	log.Info("the chat goes on where it stopped", "state", f.name)
	return chat, nil
}

// save makes the file of what write writes. It appears whole or not at all.
func (f *stateFile) save(write func(io.Writer) error) (err error) {
	if f == nil {
		return nil
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("the state is not saved: %w", err)
		}
	}()
	if _, err := os.Lstat(f.name); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, fmt.Errorf("%s has appeared while the chat was running; it is left alone", f.name))
	}
	tmp, err := f.create()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	out := bufio.NewWriter(tmp)
	if err := errors.Join(write(out), out.Flush(), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), f.name)
}
