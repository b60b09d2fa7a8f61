package rig

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
)

// ProcsFlag defines -procs, which sets GOMAXPROCS here and in all children.
func ProcsFlag(fs *flag.FlagSet) {
	fs.Func("procs", "GOMAXPROCS of the server and of the clients; `n`, by default the number of processors", func(s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return fmt.Errorf("%q is not a positive number", s)
		}
		runtime.GOMAXPROCS(n)
		return os.Setenv("GOMAXPROCS", s)
	})
}
