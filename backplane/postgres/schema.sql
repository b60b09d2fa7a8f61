CREATE SCHEMA IF NOT EXISTS crier;

-- What was published and has no position yet. Callers insert here.
CREATE TABLE IF NOT EXISTS crier.outbox (
	xid     xid8   NOT NULL DEFAULT pg_current_xact_id(),
	ordinal bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
	record  uuid   NOT NULL,
	data    bytea  NOT NULL,
	life_us bigint, -- microseconds; NULL is as long as all records
	PRIMARY KEY (xid, ordinal)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
ALTER TABLE crier.outbox ALTER COLUMN data SET STORAGE EXTERNAL;

-- The sequence. Position 0 is not a record: its uuid names the sequence.
CREATE TABLE IF NOT EXISTS crier.log (
	position bigint      NOT NULL PRIMARY KEY,
	record   uuid        NOT NULL,
	data     bytea       NOT NULL,
	at       timestamptz NOT NULL DEFAULT now(),
	expires  timestamptz
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000);
ALTER TABLE crier.log ALTER COLUMN data SET STORAGE EXTERNAL;
CREATE INDEX IF NOT EXISTS log_expires ON crier.log (expires) WHERE expires IS NOT NULL;

-- One row.
CREATE TABLE IF NOT EXISTS crier.state (
	one      boolean     NOT NULL PRIMARY KEY DEFAULT true CHECK (one),
	version  integer     NOT NULL,
	origin   text        NOT NULL, -- the database and the table that numbered belongs to
	first    bigint      NOT NULL, -- what lies before is not retained
	numbered pg_snapshot NOT NULL, -- what it sees has a position
	saved    timestamptz NOT NULL  -- when numbered was written
);
