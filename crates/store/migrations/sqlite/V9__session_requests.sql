-- What administrators ask of the clients of open sessions (RFC 5176), for a gateway to take up and
-- to answer. The actor, in JSON, is whoever asked.
CREATE TABLE session_requests (
    id          BLOB PRIMARY KEY CHECK (length(id) = 16),
    session     BLOB NOT NULL,
    demand      TEXT NOT NULL,
    actor       TEXT NOT NULL,
    asked       INTEGER NOT NULL,
    lapses      INTEGER NOT NULL,
    taken       INTEGER,
    outcome     TEXT,
    error_cause INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX session_requests_waiting ON session_requests (id) WHERE taken IS NULL;
