-- What processes that share the database tell each other. Times are the database's, since their own clocks may differ.

-- Processes that are there, and a digest of the policy that each goes by. Unlogged, as are limits and holds: what is lost when the
-- database crashes is known again a moment later, and each write is many times cheaper.
CREATE UNLOGGED TABLE arm_replicas (
    id TEXT PRIMARY KEY,
    policy TEXT NOT NULL,
    seen TIMESTAMPTZ NOT NULL
) WITH (fillfactor = 50);

-- Requests of each caller, by the generic cell rate algorithm: the time at which the caller has made up for all of them.
CREATE UNLOGGED TABLE arm_limits (
    caller TEXT PRIMARY KEY,
    clean_at TIMESTAMPTZ NOT NULL,
    passed BOOLEAN NOT NULL
) WITH (fillfactor = 50);

-- What GitHub asked to wait for, and until when.
CREATE UNLOGGED TABLE arm_holds (
    scope TEXT PRIMARY KEY,
    until TIMESTAMPTZ NOT NULL
);

-- Writes to groups, by the processes that sent them.
CREATE TABLE arm_group_writes (
    group_id BIGINT NOT NULL,
    replica TEXT NOT NULL,
    writes BIGINT NOT NULL,
    latest TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (group_id, replica)
);

-- Who has the turn with something, and who waits for it, in the order of their tickets.
CREATE TABLE arm_turns (
    ticket BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    holder TEXT NOT NULL UNIQUE,
    subject TEXT NOT NULL,
    alone BOOLEAN NOT NULL,
    until TIMESTAMPTZ NOT NULL
);
CREATE INDEX arm_turns_of_subject ON arm_turns (subject, ticket);

-- Which process does something that only one should.
CREATE TABLE arm_leases (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until TIMESTAMPTZ NOT NULL
);
