-- Devices known by their address alone (MAC authentication bypass), with the names of the resources
-- that they may use, in JSON.
CREATE TABLE devices (
    id          BLOB PRIMARY KEY CHECK (length(id) = 16),
    address     TEXT NOT NULL UNIQUE,
    resources   TEXT NOT NULL,
    vlan        TEXT,
    description TEXT,
    created     INTEGER NOT NULL,
    modified    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Whose a session is where it is a device's; the device may be gone while its sessions are kept.
ALTER TABLE radius_sessions ADD COLUMN device BLOB;
