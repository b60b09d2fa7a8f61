//go:build !linux || !(amd64 || arm64)

package reactor

import "errors"

type ring struct{}

func (*ring) open() error { return errors.ErrUnsupported }

func (*ring) do([]Write) {}
