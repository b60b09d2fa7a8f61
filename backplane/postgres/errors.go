package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/crier-go/crier/hub"
)

const (
	undefinedTable        = "42P01"
	invalidSchemaName     = "3F000"
	insufficientPrivilege = "42501"
	adminShutdown         = "57P01"
	crashShutdown         = "57P02"
	idleSessionTimeout    = "57P05"
)

func code(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// missing reports whether the tables do not exist.
func missing(err error) bool {
	c := code(err)
	return c == undefinedTable || c == invalidSchemaName
}

// A refusal is an error of this package that does not pass.
type refusal struct{ error }

func refused(format string, args ...any) error { return &refusal{fmt.Errorf(format, args...)} }

func (r *refusal) Unwrap() error { return r.error }

// stale reports whether an error may be due to a connection of the pool that had
// broken while nobody used it, so that another one is worth an attempt.
func stale(err error) bool {
	if errors.Is(err, hub.ErrUnavailable) {
		return false
	}
	switch code(err) {
	case "": // not from the server
		_, ok := errors.AsType[*refusal](err)
		_, connecting := errors.AsType[*pgconn.ConnectError](err)
		return !ok && !connecting
	case adminShutdown, crashShutdown, idleSessionTimeout:
		return true
	}
	return false
}

// passes reports whether an error may pass. That is every error but those by
// which the server, or this package, says that it understood and will not.
func passes(err error) bool {
	if _, ok := errors.AsType[*refusal](err); ok {
		return false
	}
	if missing(err) {
		return true // Tail creates them
	}
	c := code(err)
	if len(c) != 5 {
		return true
	}
	switch c[:2] {
	case "22", // data that the type does not allow
		"28", // authentication
		"3D", // no such database
		"42", // privileges, other columns than expected
		"54": // limits of the server
		return false
	}
	return true
}

// failed returns the error of a method whose context is ctx.
func failed(ctx context.Context, doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("postgres: %s: %w: %w", doing, hub.ErrUnavailable, context.Cause(ctx))
	case errors.Is(err, hub.ErrUnavailable):
		return err
	case passes(err):
		return fmt.Errorf("postgres: %s: %w: %w", doing, hub.ErrUnavailable, err)
	}
	return fmt.Errorf("postgres: %s: %w", doing, err)
}

func unavailable(format string, args ...any) error {
	return fmt.Errorf("postgres: "+format+": %w", append(args, hub.ErrUnavailable)...)
}
