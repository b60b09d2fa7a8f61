package postgres

import (
	_ "embed"
	"strings"

	"github.com/jackc/pgx/v5"
)

// version is that of schema.sql.
const version = 1

//go:embed schema.sql
var schemaSQL string

// Schema returns the SQL that creates the tables of a [Backplane] in the
// PostgreSQL schema of that name; empty means "crier". It is for a migration
// tool, where the role of the application may not create tables. What exists is
// left as it is.
//
// Afterwards the role needs these privileges, with the name of the schema in
// place of crier:
//
//	GRANT USAGE ON SCHEMA crier TO app;
//	GRANT SELECT, INSERT, UPDATE, DELETE ON crier.outbox, crier.log, crier.state TO app;
//
// A role that only calls InsertTx needs USAGE on the schema and INSERT on
// crier.outbox.
func Schema(name string) string {
	if name == "" {
		name = "crier"
	}
	quoted := pgx.Identifier{name}.Sanitize()
	s := strings.ReplaceAll(schemaSQL, "SCHEMA IF NOT EXISTS crier;", "SCHEMA IF NOT EXISTS "+quoted+";")
	return inSchema(s, name)
}

// inSchema replaces the schema in a statement that is written for the default.
func inSchema(sql, name string) string {
	if name == "crier" {
		return sql
	}
	return strings.ReplaceAll(sql, "crier.", pgx.Identifier{name}.Sanitize()+".")
}

// The settings of a transaction that numbers or looks for what has to be
// numbered. The planner's statistics of a queue are never right, and a
// sequential scan of the outbox reads what was deleted, as long as any
// transaction in the database could still see it. What a follower has seen must
// not be lost in a crash, hence synchronous_commit.
const settingsSQL = `
SELECT set_config('enable_seqscan', 'off', $1), set_config('jit', 'off', $1),
	CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', $1) END`

// pendingSQL selects the rows of the outbox that have no position. It excludes
// those that state.numbered sees not because they might still be there, but
// because reading over what was deleted takes time.
const pendingSQL = `
SELECT ctid, xid, ordinal FROM crier.outbox
WHERE xid >= (SELECT pg_snapshot_xmax(numbered) FROM crier.state)
UNION ALL
SELECT ctid, xid, ordinal FROM crier.outbox
WHERE xid = ANY (ARRAY(SELECT pg_snapshot_xip(numbered) FROM crier.state))`

const anyPendingSQL = `SELECT EXISTS (SELECT FROM (` + pendingSQL + `) AS pending)`

// stillPendingSQL is whether rows that a snapshot sees have no position yet.
const stillPendingSQL = `
SELECT EXISTS (SELECT FROM (` + pendingSQL + `) AS pending WHERE pg_visible_in_snapshot(xid, $1::text::pg_snapshot))`

// numberSQL moves at most $1 rows, and not many more than $2 bytes, from the
// outbox to the log, in the order of their insertion. All parts see one snapshot.
// What it sees is complete in this sense: if a row is visible, so is every row
// whose transaction had ended before that row was inserted.
//
// The positions follow the last one of the log without gaps. So of two sessions
// that number at the same time, one fails with a duplicate key.
//
// It returns how many rows it moved, the last position, and whether there was
// more.
const numberSQL = `
WITH last AS MATERIALIZED (
	SELECT position FROM crier.log ORDER BY position DESC LIMIT 1
), pending AS MATERIALIZED (
	SELECT ctid AS at, ordinal FROM (` + pendingSQL + `) AS pending, last ORDER BY ordinal LIMIT $1
), sized AS MATERIALIZED (
	SELECT at, sum(octet_length(data)) OVER (ORDER BY pending.ordinal) - octet_length(data) AS before
	FROM pending JOIN crier.outbox ON outbox.ctid = at
), taken AS (
	DELETE FROM crier.outbox WHERE ctid = ANY (ARRAY(SELECT at FROM sized WHERE before < $2))
	RETURNING ordinal, record, data, life_us
), logged AS (
	INSERT INTO crier.log (position, record, data, expires)
	SELECT last.position + row_number() OVER (ORDER BY ordinal), record, data,
		now() + make_interval(secs => life_us / 1e6)
	FROM taken, last
	RETURNING position
), done AS MATERIALIZED (
	SELECT count(*) AS n, coalesce(max(position), 0) AS last,
		count(*) = $1 OR count(*) < (SELECT count(*) FROM pending) AS more
	FROM logged
), saved AS (
	UPDATE crier.state SET numbered = pg_current_snapshot(), saved = now()
	WHERE saved NOT BETWEEN now() - interval '1 second' AND now() AND (SELECT n > 0 AND NOT more FROM done)
)
SELECT n, last, more FROM done`

// retainSQL looks at the $3 oldest records and removes those that are older
// than $2 seconds or not among the $1 newest. The row with the last position
// stays, because it says where the sequence goes on; state.first says that it
// is not retained.
const retainSQL = `
WITH state AS MATERIALIZED (
	SELECT first FROM crier.state
), newest AS MATERIALIZED (
	SELECT position FROM crier.log ORDER BY position DESC LIMIT 1
), oldest AS MATERIALIZED (
	SELECT log.position, log.at FROM crier.log, state
	WHERE log.position >= state.first ORDER BY log.position LIMIT $3
), cut AS MATERIALIZED (
	SELECT max(oldest.position) AS position FROM oldest, newest
	WHERE oldest.at < now() - make_interval(secs => $2) OR oldest.position <= newest.position - $1
), moved AS (
	UPDATE crier.state SET first = cut.position + 1 FROM cut WHERE cut.position IS NOT NULL
), removed AS (
	DELETE FROM crier.log USING state, cut, newest
	WHERE log.position >= greatest(state.first - 1, 1) AND log.position <= cut.position
		AND log.position < newest.position
	RETURNING log.position
)
SELECT count(*) FROM removed`

// expireSQL removes at most $2 records whose life has ended, and not before
// time $1, where an earlier run has removed all. It returns the time for the
// next run.
const expireSQL = `
WITH newest AS MATERIALIZED (
	SELECT position FROM crier.log ORDER BY position DESC LIMIT 1
), expired AS MATERIALIZED (
	SELECT log.position FROM crier.log, newest
	WHERE expires < now() AND expires >= $1 AND log.position BETWEEN 1 AND newest.position - 1
	ORDER BY expires LIMIT $2
), removed AS (
	DELETE FROM crier.log WHERE position = ANY (ARRAY(SELECT position FROM expired))
	RETURNING position
)
SELECT count(*), now() FROM removed`

// readSQL reads records behind position $1 of the sequence that $2 names.
const readSQL = `
SELECT position, record, data FROM crier.log
WHERE position > $1 AND position >= (SELECT first FROM crier.state)
	AND EXISTS (SELECT FROM crier.log WHERE position = 0 AND record = $2)
ORDER BY position LIMIT $3`

// inspectSQL is what Tail and Follow have to know.
const inspectSQL = `
SELECT state.version, state.first, state.origin, named.record,
	(SELECT position FROM crier.log ORDER BY position DESC LIMIT 1),
	concat_ws('/', (SELECT system_identifier FROM pg_control_system()),
		(SELECT oid FROM pg_database WHERE datname = current_database()),
		'crier.log'::regclass::oid),
	substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8),
	(` + anyPendingSQL + `),
	pg_current_snapshot()::text
FROM (SELECT) AS always
LEFT JOIN crier.state ON state.one
LEFT JOIN crier.log AS named ON named.position = 0`

// checkSQL names what is wrong with the tables.
const checkSQL = `
SELECT (
	SELECT string_agg(privilege || ' on ' || name, ', ')
	FROM unnest(ARRAY['crier.outbox', 'crier.log', 'crier.state']) AS name,
		unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
	WHERE NOT has_table_privilege(name, privilege)
), (
	SELECT string_agg(oid::regclass::text, ', ') FROM pg_class
	WHERE oid IN ('crier.outbox'::regclass, 'crier.log'::regclass, 'crier.state'::regclass) AND relpersistence <> 'p'
)`

// beginSQL begins a sequence, or goes on with one in another database after a
// restore: transaction ids of the old one mean nothing there.
var beginSQL = []string{
	`UPDATE crier.state SET first = 1 WHERE NOT EXISTS (SELECT FROM crier.log WHERE position = 0)`,
	`INSERT INTO crier.log (position, record, data) VALUES (0, gen_random_uuid(), '') ON CONFLICT DO NOTHING`,
	`INSERT INTO crier.state (version, origin, first, numbered, saved)
	SELECT 1, '', coalesce(min(position), 1), '1:1:', now() FROM crier.log WHERE position > 0
	ON CONFLICT DO NOTHING`,
	`UPDATE crier.outbox SET xid = pg_current_xact_id() WHERE EXISTS (SELECT FROM crier.state WHERE origin <> $1)`,
	`UPDATE crier.state SET origin = $1, numbered = '1:1:' WHERE origin <> $1`,
}
