-- What teams let callers do who are no users.
CREATE TABLE arm_access (
    id BIGINT PRIMARY KEY,
    team BIGINT NOT NULL,
    kind TEXT NOT NULL,
    token_hash TEXT,
    definition TEXT NOT NULL,
    created_by BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    last_used_at BIGINT
);
CREATE INDEX arm_access_of_team ON arm_access (team);
INSERT INTO arm_revisions (name, value) VALUES ('access', 1);

-- Tokens that made the one change that they may make, by a hash, until they expire (in seconds since 1970).
CREATE TABLE arm_used_tokens (
    token TEXT PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX arm_used_tokens_by_end ON arm_used_tokens (expires_at);

-- Who was given the JIT config of which runner.
CREATE TABLE arm_origins (
    runner BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    team BIGINT NOT NULL,
    entry BIGINT,
    caller TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX arm_origins_of_entry ON arm_origins (entry, at);
CREATE INDEX arm_origins_of_team ON arm_origins (team, at);
