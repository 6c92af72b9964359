-- Counters that grow with each change of something, so that a look at one of them tells whether to read it again.
CREATE TABLE arm_revisions (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO arm_revisions (name, value) VALUES ('records', 1), ('probe', 0);

-- Whose store this is: one row.
CREATE TABLE arm_identity (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    api_url TEXT NOT NULL,
    organisation BIGINT NOT NULL
);

-- Teams of administrators, by the slug that they were first found by.
CREATE TABLE arm_administrators (
    slug TEXT PRIMARY KEY,
    team BIGINT NOT NULL
);

-- Which group is whose.
CREATE TABLE arm_group_records (
    team BIGINT PRIMARY KEY,
    group_id BIGINT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    origin TEXT NOT NULL,
    at BIGINT NOT NULL
);

-- Groups that GitHub was asked to make, with an outcome that is not known yet.
CREATE TABLE arm_creations (
    team BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    largest_group BIGINT NOT NULL,
    begun_at BIGINT NOT NULL
);
