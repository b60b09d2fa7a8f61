package bench

import (
	"bytes"
	"errors"
	"os"
	"strconv"
)

// available returns how much memory can be had without swapping, in bytes.
func available() (uint64, error) {
	kb, err := procField("/proc/meminfo", "MemAvailable:")
	return kb << 10, err
}

// procField returns the number behind a name in a file of Linux's proc.
func procField(file, name string) (uint64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if f := bytes.Fields(line); len(f) >= 2 && string(f[0]) == name {
			return strconv.ParseUint(string(f[1]), 10, 64)
		}
	}
	return 0, errors.New(file + " has no " + name)
}
