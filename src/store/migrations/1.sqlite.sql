-- What was done. Refusals are one row for a caller, a reason and an hour (since 1970), with a count.
CREATE TABLE arm_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms BIGINT NOT NULL,
    last_ms BIGINT NOT NULL,
    operation TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT,
    team BIGINT,
    caller TEXT,
    request_id TEXT NOT NULL,
    record TEXT NOT NULL,
    count BIGINT NOT NULL,
    refusal_hour BIGINT
);
CREATE INDEX arm_events_of_team ON arm_events (team, id);
CREATE UNIQUE INDEX arm_refusals ON arm_events (caller, reason, refusal_hour) WHERE refusal_hour IS NOT NULL;
