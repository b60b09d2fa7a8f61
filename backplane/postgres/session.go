package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// A session is a connection of its own, outside the pool.
type session struct {
	*pgx.Conn
	// direct is whether this is a session of the server for as long as it
	// lasts. Behind a pooler it is not: LISTEN and session locks would be
	// somebody else's.
	direct bool
	mode   pgx.QueryExecMode
}

func (b *Backplane) dial(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*queryTimeout, errNoAnswer)
	defer cancel()
	c, err := pgx.ConnectConfig(ctx, b.direct)
	if err != nil {
		return nil, err
	}
	s := &session{Conn: c, mode: pgx.QueryExecModeCacheDescribe}
	// A pooler tells its clients process ids of its own.
	var pid uint32
	if err := s.QueryRow(ctx, `SELECT pg_backend_pid()`, pgx.QueryExecModeSimpleProtocol).Scan(&pid); err != nil {
		s.close()
		return nil, err
	}
	if s.direct = pid == s.PgConn().PID(); !s.direct {
		return s, nil
	}
	s.mode = pgx.QueryExecModeCacheStatement
	// If this machine vanishes, the server shall notice, and not keep what a
	// listener has not read, nor the lock.
	err = s.set(ctx, map[string]string{
		"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3", "tcp_user_timeout": "20s",
	})
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// set changes settings for the session, as far as the server knows them.
func (s *session) set(ctx context.Context, settings map[string]string) error {
	for name, value := range settings {
		_, err := s.Exec(ctx, `SELECT set_config(name, $2, false) FROM pg_settings WHERE name = $1`,
			pgx.QueryExecModeExec, name, value)
		if err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	return nil
}

func (s *session) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s.Close(ctx)
}

// query runs a statement that returns one row.
func (s *session) query(ctx context.Context, sql string, args ...any) pgx.Row {
	return s.QueryRow(ctx, sql, append([]any{s.mode}, args...)...)
}
