//go:build !unix || solaris || aix

package natsembedded

import "os"

// lockFile opens a file. This system has no lock that ends with the process, so
// nothing keeps a second process from opening the directory.
func lockFile(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
}
