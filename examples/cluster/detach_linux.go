package main

import (
	"os/exec"
	"syscall"
)

// detach keeps a process from receiving the terminal's Ctrl-C, which this program
// handles, and lets it end if this program is killed.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
