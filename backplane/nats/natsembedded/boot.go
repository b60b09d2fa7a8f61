package natsembedded

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// A bootFile is the name of a file that tells, when the server starts, whether
// the machine has gone down under it. It holds the machine's boot id while the
// server runs, and does not exist otherwise.
type bootFile string

// lossy reports whether acknowledged records may be lost.
func (f bootFile) lossy() (bool, error) {
	before, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	// Without a boot id, a crash of the process is taken for one of the machine.
	now := bootID()
	return now == "" || string(before) != now, err
}

// begin notes that the server runs.
func (f bootFile) begin() error {
	file, err := os.Create(string(f))
	if err != nil {
		return err
	}
	_, err = file.WriteString(bootID())
	return errors.Join(err, file.Sync(), file.Close())
}

// end notes that the server has stopped and that all is on disk.
func (f bootFile) end() error {
	return os.Remove(string(f))
}

// bootID returns what is different after each start of the machine, or nothing
// if the system does not tell.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

// syncAll calls fsync for all files and directories below dir.
func syncAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() && !d.Type().IsRegular() {
			return err
		}
		mode := os.O_RDWR
		if d.IsDir() {
			if runtime.GOOS == "windows" {
				return nil // it has no fsync for directories
			}
			mode = os.O_RDONLY
		}
		file, err := os.OpenFile(path, mode, 0)
		if err != nil {
			return err
		}
		err = file.Sync()
		return errors.Join(err, file.Close())
	})
}
