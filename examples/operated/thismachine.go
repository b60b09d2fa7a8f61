package main

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

var errElsewhere = errors.New("the request does not come from this machine")

// fromThisMachine decides who may see the debug page, which names users.
//
// A real application asks its own session here whether this is an administrator,
// for instance
//
//	func(r *http.Request) error {
//		session, err := sessions.Of(r)
//		if err == nil && !session.Admin {
//			err = errForbidden
//		}
//		return err
//	}
//
// This program has no administrators. It allows requests that were sent by this
// machine, to this machine: the name in the URL must be that of this machine, too,
// since any site's name can be made to mean 127.0.0.1. A proxy on this machine
// passes on requests of others, and says so in a header.
func fromThisMachine(r *http.Request) error {
	sender, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !sender.Addr().Unmap().IsLoopback() {
		return errElsewhere
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"} {
		if r.Header.Get(name) != "" {
			return errElsewhere
		}
	}
	if !isThisMachine(r.Host) {
		return errElsewhere
	}
	return nil
}

// isThisMachine reports whether the host of a request is this machine's own name
// for itself.
func isThisMachine(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}

// reachable returns an address at which this machine reaches a listener.
func reachable(a *net.TCPAddr) string {
	if a.IP.IsUnspecified() {
		return net.JoinHostPort("localhost", strconv.Itoa(a.Port))
	}
	return a.String()
}
