-- sudo rules. Users and groups are referred to and not named, so that a new user of an old name
-- inherits nothing; the other values stand in the terms, as JSON.
CREATE TABLE sudo_rules (
    id          BLOB PRIMARY KEY CHECK (length(id) = 16),
    name        TEXT NOT NULL,
    name_folded TEXT NOT NULL UNIQUE,
    everybody   INTEGER NOT NULL,
    terms       TEXT NOT NULL,
    created     INTEGER NOT NULL,
    modified    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sudo_rule_users (
    rule    BLOB NOT NULL REFERENCES sudo_rules (id) ON DELETE CASCADE,
    account BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    PRIMARY KEY (rule, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX sudo_rule_users_account ON sudo_rule_users (account, rule);

CREATE TABLE sudo_rule_groups (
    rule   BLOB NOT NULL REFERENCES sudo_rules (id) ON DELETE CASCADE,
    member BLOB NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    PRIMARY KEY (rule, member)
) STRICT, WITHOUT ROWID;
CREATE INDEX sudo_rule_groups_member ON sudo_rule_groups (member, rule);
