-- The name of the client certificate that binds a service account; NULL where none does.
ALTER TABLE services ADD COLUMN certificate TEXT;
ALTER TABLE services ADD COLUMN certificate_folded TEXT;
CREATE UNIQUE INDEX services_certificate ON services (certificate_folded)
    WHERE certificate_folded IS NOT NULL;
