-- Sessions that RADIUS clients report (RFC 2866). The body is what is shown of one; the other
-- columns are what is looked for. An account or a client may be gone while its sessions are kept.
CREATE TABLE radius_sessions (
    id            BLOB PRIMARY KEY CHECK (length(id) = 16),
    client        TEXT NOT NULL,
    nas           BLOB NOT NULL,
    session       BLOB NOT NULL,
    account       BLOB,
    resource      TEXT,
    started       INTEGER NOT NULL,
    seen          INTEGER NOT NULL,
    ended         INTEGER,
    ending        TEXT,
    disconnects   INTEGER NOT NULL,
    disconnect_at INTEGER NOT NULL,
    body          TEXT NOT NULL,
    CHECK ((ended IS NULL) = (ending IS NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX radius_sessions_open ON radius_sessions (client, nas, session)
    WHERE ended IS NULL;
CREATE INDEX radius_sessions_key ON radius_sessions (client, nas, session, id);
CREATE INDEX radius_sessions_seen ON radius_sessions (seen) WHERE ended IS NULL;
CREATE INDEX radius_sessions_ended ON radius_sessions (ended) WHERE ended IS NOT NULL;
CREATE INDEX radius_sessions_account ON radius_sessions (account, id) WHERE account IS NOT NULL;
