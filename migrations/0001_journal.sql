-- Journal: tables that SQLite and PostgreSQL share. Released migrations never change; write a new one.

-- What this schema is, and the oldest program that may read and write it.
CREATE TABLE format (
    number BIGINT NOT NULL,
    oldest_reader BIGINT NOT NULL
);
INSERT INTO format (number, oldest_reader) VALUES (1, 1);

-- One row per cluster: the term that stands and where both logs end.
-- Every fenced transaction begins by updating it, which locks it.
CREATE TABLE term (
    cluster TEXT NOT NULL PRIMARY KEY,
    epoch BIGINT NOT NULL CHECK (epoch > 0),
    watchdog TEXT NOT NULL,
    opened_at_ms BIGINT NOT NULL,
    head BIGINT NOT NULL,
    head_hash TEXT NOT NULL CHECK (length(head_hash) = 64),
    record_head BIGINT NOT NULL
);

-- Every term that was ever opened.
CREATE TABLE terms (
    cluster TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    watchdog TEXT NOT NULL,
    opened_at_ms BIGINT NOT NULL,
    PRIMARY KEY (cluster, epoch)
);

-- The metadata log. Values are JSON texts; NULL means that the key is absent.
CREATE TABLE change (
    cluster TEXT NOT NULL,
    version BIGINT NOT NULL CHECK (version > 0),
    at_ms BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    author TEXT NOT NULL,
    goal TEXT,
    key TEXT NOT NULL,
    value_before TEXT,
    value_after TEXT,
    previous TEXT NOT NULL CHECK (length(previous) = 64),
    hash TEXT NOT NULL CHECK (length(hash) = 64),
    request TEXT NOT NULL,
    part BIGINT NOT NULL,
    PRIMARY KEY (cluster, version)
);
-- A request that is asked again is found by it.
CREATE UNIQUE INDEX change_request ON change (cluster, request, part);

-- The healing log. The body is a JSON text; the digest covers the other fields of the entry.
CREATE TABLE record (
    cluster TEXT NOT NULL,
    sequence BIGINT NOT NULL CHECK (sequence > 0),
    at_ms BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    written_by TEXT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    digest TEXT NOT NULL CHECK (length(digest) = 64),
    request TEXT NOT NULL,
    part BIGINT NOT NULL,
    PRIMARY KEY (cluster, sequence)
);
CREATE UNIQUE INDEX record_request ON record (cluster, request, part);

-- A cache of state(version), bound to the log by the hash of its entry; may be emptied at any time.
CREATE TABLE snapshot (
    cluster TEXT NOT NULL,
    version BIGINT NOT NULL CHECK (version > 0),
    hash TEXT NOT NULL,
    digest TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (cluster, version)
);
