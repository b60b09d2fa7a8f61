package chat

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// keySize is how many random bytes sign the cookies.
const keySize = 32

// findKey returns the file of the key for session cookies.
func findKey(file string) (string, error) {
	if file != "" {
		return file, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("%w; say where with -key", err)
	}
	return filepath.Join(dir, "crier-chat", "key"), nil
}

// loadKey reads the key for session cookies from a file, or makes the file when
// there is none. The key must outlive the program: with a new one after every
// restart, nobody would be known, and the 401 that a reconnecting EventSource
// then gets would end it for good.
func loadKey(file string) ([]byte, error) {
	key, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeKey(file); err != nil {
			return nil, err
		}
		key, err = os.ReadFile(file)
	}
	switch {
	case err != nil:
		return nil, err
	case len(key) != keySize:
		return nil, fmt.Errorf("%s has %d bytes where a key has %d; delete it, and a new one is made", file, len(key), keySize)
	}
	return key, nil
}

// makeKey writes a new key. The file appears whole or not at all, and if two
// programs start at once, both end up with the same one.
func makeKey(file string) error {
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	key := make([]byte, keySize)
	rand.Read(key)                          // never fails
	tmp, err := os.CreateTemp(dir, "key-*") // created 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(key)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	// Link, unlike Rename, leaves a key alone that somebody else has put there.
	if err := os.Link(tmp.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
