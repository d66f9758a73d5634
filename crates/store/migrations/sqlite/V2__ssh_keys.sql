-- OpenSSH public keys of users: the whole line without options, and SHA-256 of the key in it.
CREATE TABLE ssh_keys (
    number      INTEGER PRIMARY KEY,
    account     BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    line        TEXT NOT NULL,
    added       INTEGER NOT NULL,
    UNIQUE (account, fingerprint)
) STRICT;
