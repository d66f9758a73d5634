-- Times are UTC milliseconds, identifiers the sixteen bytes of a UUIDv7. A column named
-- *_folded holds the form that is compared; its neighbour the form that is shown.

-- Counters and cursors of the whole store.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta (key, value) VALUES
    ('directory_version', 1),
    ('lifecycle_cursor', 0),
    ('next_uid', 0),
    ('next_gid', 0),
    ('probe', 0);

-- Every POSIX number ever given; rows are never removed, so no number is given twice.
CREATE TABLE used_numbers (
    kind   TEXT NOT NULL CHECK (kind IN ('uid', 'gid')),
    number INTEGER NOT NULL,
    PRIMARY KEY (kind, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE accounts (
    id              BLOB PRIMARY KEY CHECK (length(id) = 16),
    username        TEXT NOT NULL,
    username_folded TEXT NOT NULL UNIQUE,
    email           TEXT NOT NULL,
    email_folded    TEXT NOT NULL UNIQUE,
    recovery_email  TEXT,
    full_name       TEXT,
    uid_number      INTEGER NOT NULL UNIQUE,
    gid_number      INTEGER NOT NULL,
    home            TEXT,
    shell           TEXT,
    admin           INTEGER NOT NULL,
    suspended       INTEGER NOT NULL,
    start_at        INTEGER,
    end_at          INTEGER,
    password_hash   TEXT,
    password_set_at INTEGER,
    change_by       INTEGER,
    never_expires   INTEGER NOT NULL,
    must_change     INTEGER NOT NULL,
    locked_since    INTEGER,
    epoch           INTEGER NOT NULL,
    stale_told      INTEGER,
    created         INTEGER NOT NULL,
    modified        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX accounts_start ON accounts (start_at) WHERE start_at IS NOT NULL;
CREATE INDEX accounts_end ON accounts (end_at) WHERE end_at IS NOT NULL;
CREATE INDEX accounts_change_by ON accounts (change_by) WHERE change_by IS NOT NULL;
CREATE INDEX accounts_password_set ON accounts (password_set_at) WHERE password_set_at IS NOT NULL;
CREATE INDEX accounts_locked ON accounts (locked_since) WHERE locked_since IS NOT NULL;

-- Replaced hashes, newest with the highest number.
CREATE TABLE password_history (
    number      INTEGER PRIMARY KEY,
    account     BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    hash        TEXT NOT NULL,
    replaced_at INTEGER NOT NULL
) STRICT;
CREATE INDEX password_history_account ON password_history (account, number);

CREATE TABLE groups (
    id          BLOB PRIMARY KEY CHECK (length(id) = 16),
    name        TEXT NOT NULL,
    name_folded TEXT NOT NULL UNIQUE,
    gid_number  INTEGER NOT NULL UNIQUE,
    description TEXT,
    created     INTEGER NOT NULL,
    modified    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE group_users (
    container BLOB NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    account   BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    PRIMARY KEY (container, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX group_users_account ON group_users (account, container);

CREATE TABLE group_groups (
    container BLOB NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    member    BLOB NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    PRIMARY KEY (container, member),
    CHECK (container <> member)
) STRICT, WITHOUT ROWID;
CREATE INDEX group_groups_member ON group_groups (member, container);

-- A resource is bound to a user or to a group; resources themselves stand in the configuration.
CREATE TABLE bindings (
    number          INTEGER PRIMARY KEY,
    resource        TEXT NOT NULL,
    resource_folded TEXT NOT NULL,
    account         BLOB REFERENCES accounts (id) ON DELETE CASCADE,
    bound_group     BLOB REFERENCES groups (id) ON DELETE CASCADE,
    CHECK ((account IS NULL) <> (bound_group IS NULL))
) STRICT;
CREATE UNIQUE INDEX bindings_account ON bindings (account, resource_folded)
    WHERE account IS NOT NULL;
CREATE UNIQUE INDEX bindings_group ON bindings (bound_group, resource_folded)
    WHERE bound_group IS NOT NULL;
CREATE INDEX bindings_resource ON bindings (resource_folded);

CREATE TABLE services (
    id          BLOB PRIMARY KEY CHECK (length(id) = 16),
    name        TEXT NOT NULL,
    name_folded TEXT NOT NULL UNIQUE,
    may_search  INTEGER NOT NULL,
    sources     TEXT NOT NULL,
    epoch       INTEGER NOT NULL,
    created     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Live passwords of a service account, the newest with the highest number.
CREATE TABLE service_passwords (
    number  INTEGER PRIMARY KEY,
    service BLOB NOT NULL REFERENCES services (id) ON DELETE CASCADE,
    hash    TEXT NOT NULL
) STRICT;
CREATE INDEX service_passwords_service ON service_passwords (service, number);

-- Attempts charged and not settled yet.
CREATE TABLE places (
    id       BLOB PRIMARY KEY CHECK (length(id) = 16),
    account  BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    at       INTEGER NOT NULL,
    origin   TEXT NOT NULL,
    counting INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX places_account ON places (account, at);

-- Distinct wrong passwords. A cleared one no longer counts toward the lock, and still toward
-- the day's cap.
CREATE TABLE failures (
    id          BLOB PRIMARY KEY CHECK (length(id) = 16),
    account     BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    at          INTEGER NOT NULL,
    origin      TEXT NOT NULL,
    counting    INTEGER NOT NULL,
    cleared     INTEGER NOT NULL,
    provisional INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX failures_account ON failures (account, at);

CREATE TABLE links (
    token_digest BLOB PRIMARY KEY CHECK (length(token_digest) = 32),
    account      BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    purpose      TEXT NOT NULL CHECK (purpose IN ('activation', 'reset')),
    created      INTEGER NOT NULL,
    expires      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX links_account ON links (account, expires);

-- Every version of the policy ever in force, with the event that set it.
CREATE TABLE policies (
    version  INTEGER PRIMARY KEY,
    settings TEXT NOT NULL,
    event    BLOB,
    at       INTEGER,
    body     TEXT
) STRICT;

-- The audit log. The body is the whole event; the other columns are what is queried.
CREATE TABLE events (
    id        BLOB PRIMARY KEY CHECK (length(id) = 16),
    at        INTEGER NOT NULL,
    count     INTEGER NOT NULL,
    account   BLOB,
    username  TEXT,
    resource  TEXT,
    outcome   TEXT NOT NULL,
    merge_key TEXT UNIQUE,
    body      TEXT NOT NULL
) STRICT;
CREATE INDEX events_at ON events (at);
CREATE INDEX events_account ON events (account, id) WHERE account IS NOT NULL;
CREATE INDEX events_username ON events (username, id) WHERE username IS NOT NULL;
CREATE INDEX events_resource ON events (resource, id) WHERE resource IS NOT NULL;

-- Mail to be sent.
CREATE TABLE outbox (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    queued  INTEGER NOT NULL,
    account BLOB NOT NULL,
    kind    TEXT NOT NULL,
    details TEXT NOT NULL
) STRICT;
CREATE INDEX outbox_account ON outbox (account);
