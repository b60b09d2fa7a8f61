//go:build !linux

package main

import "os/exec"

// detach does nothing here: the processes receive the terminal's Ctrl-C too.
func detach(*exec.Cmd) {}
