-- What is kept of one client is counted and bounded, the oldest going first.
CREATE INDEX radius_sessions_client ON radius_sessions (client, ended, seen);
