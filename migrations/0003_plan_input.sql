-- What plans were computed from, to explain them; the newest few of each cluster, and nothing depends on it.
-- The input is a JSON text in zlib's format; BYTEA is PostgreSQL's word, and SQLite keeps bytes under any.
CREATE TABLE plan_input (
    cluster TEXT NOT NULL,
    ordinal BIGINT NOT NULL CHECK (ordinal > 0),
    plan TEXT NOT NULL,
    core_version TEXT NOT NULL,
    digest TEXT NOT NULL CHECK (length(digest) = 64),
    input BYTEA NOT NULL,
    PRIMARY KEY (cluster, ordinal)
);
CREATE UNIQUE INDEX plan_input_plan ON plan_input (cluster, plan);
