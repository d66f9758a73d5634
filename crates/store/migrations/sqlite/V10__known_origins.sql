-- Where accounts were let in, and when last, within a day.
CREATE TABLE known_origins (
    account BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    origin  TEXT NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (account, origin)
) STRICT, WITHOUT ROWID;
