-- A user's network password, sealed; NULL where there is none. The former one is kept so that a
-- device that still has it is told from a guess.
ALTER TABLE accounts ADD COLUMN network_password BLOB;
ALTER TABLE accounts ADD COLUMN network_password_set_at INTEGER;
ALTER TABLE accounts ADD COLUMN former_network_password BLOB;
ALTER TABLE accounts ADD COLUMN former_network_password_at INTEGER;
