package rig

import (
	"fmt"
	"runtime"
	"time"

	"github.com/prometheus/procfs"
)

// Resident returns the resident memory of this process in bytes, without the pages of the program's file: these become
// resident whenever some code runs for the first time.
func Resident() (uint64, error) {
	p, err := procfs.Self()
	if err != nil {
		return 0, err
	}
	status, err := p.NewStatus()
	return status.RssAnon, err
}

// Available returns how much memory can be had without swapping, in bytes; 0 if the system does not tell.
func Available() uint64 {
	if fs, err := procfs.NewDefaultFS(); err == nil {
		if info, err := fs.Meminfo(); err == nil && info.MemAvailableBytes != nil {
			return *info.MemAvailableBytes
		}
	}
	return 0
}

// Busy returns how long the machine's processors have worked since it was started, for all programs, added up; 0 if
// the system does not tell.
func Busy() time.Duration {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return 0
	}
	stat, err := fs.Stat()
	if err != nil {
		return 0
	}
	c := stat.CPUTotal
	return time.Duration((c.User + c.Nice + c.System + c.IRQ + c.SoftIRQ + c.Steal) * float64(time.Second))
}

// Describe describes the machine in one line: processor, cores, system and Go version.
func Describe() string {
	processor, kernel := "unknown processor", ""
	if fs, err := procfs.NewDefaultFS(); err == nil {
		if info, err := fs.CPUInfo(); err == nil && len(info) > 0 {
			processor = info[0].ModelName
		}
		if release, err := fs.SysctlStrings("kernel.osrelease"); err == nil && len(release) > 0 {
			kernel = " " + release[0]
		}
	}
	return fmt.Sprintf("%s, %d cores, GOMAXPROCS %d, %s%s/%s, %s", processor, runtime.NumCPU(), runtime.GOMAXPROCS(0),
		runtime.GOOS, kernel, runtime.GOARCH, runtime.Version())
}
