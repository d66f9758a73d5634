-- What an Access-Accept tells of a user's network: attributes mapped to a user or to a group, for
-- one resource or, without one, for every resource. In the order of their numbers.
CREATE TABLE reply_attributes (
    number          INTEGER PRIMARY KEY,
    account         BLOB REFERENCES accounts (id) ON DELETE CASCADE,
    of_group        BLOB REFERENCES groups (id) ON DELETE CASCADE,
    resource        TEXT,
    resource_folded TEXT,
    name_folded     TEXT NOT NULL,
    attribute       TEXT NOT NULL,
    CHECK ((account IS NULL) <> (of_group IS NULL)),
    CHECK ((resource IS NULL) = (resource_folded IS NULL))
) STRICT;
CREATE INDEX reply_attributes_account ON reply_attributes (account) WHERE account IS NOT NULL;
CREATE INDEX reply_attributes_group ON reply_attributes (of_group) WHERE of_group IS NOT NULL;

-- Of two groups that map one attribute to a user, the one with the higher number holds.
ALTER TABLE groups ADD COLUMN reply_priority INTEGER NOT NULL DEFAULT 0;
