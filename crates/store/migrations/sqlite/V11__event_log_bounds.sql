-- The audit log is bounded in bytes. When the newest of the events happened that a row stands for;
-- NULL where it stands for one.
ALTER TABLE events ADD COLUMN last INTEGER;
-- What goes first where the log is full: merged rows, by outcome and age.
CREATE INDEX events_merged ON events (outcome, at) WHERE merge_key IS NOT NULL;
-- What the log's rows take, kept with every row that comes and goes: nobody has to scan for it.
INSERT INTO meta (key, value)
    SELECT 'events_bytes',
           coalesce(sum(300 + octet_length(body) + 2 * coalesce(octet_length(merge_key), 0)
                        + 2 * coalesce(octet_length(username), 0)
                        + 2 * coalesce(octet_length(resource), 0)), 0)
    FROM events;
