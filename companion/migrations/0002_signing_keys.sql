-- Keys that sign tokens: their public halves and their lives. The private halves are files elsewhere,
-- so that who has this database cannot sign.
-- A key signs from `signs_from` until `signs_until`, is in the key set from the first row on, and
-- leaves it when the last token that it signed is dead: `last_expiry` is written before a token leaves,
-- and none outlives it. `withdrawn_at` takes it out at once.
CREATE TABLE signing_keys (
    kid          TEXT PRIMARY KEY,
    algorithm    TEXT NOT NULL,
    jwk          TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    signs_from   INTEGER NOT NULL,
    signs_until  INTEGER,
    last_expiry  INTEGER NOT NULL DEFAULT 0,
    withdrawn_at INTEGER
) STRICT;

-- Public keys of customers who sign their users' tokens themselves. A key speaks for its project alone.
CREATE TABLE tenant_keys (
    kid        TEXT PRIMARY KEY,
    project    TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    algorithm  TEXT NOT NULL,
    jwk        TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
CREATE INDEX tenant_keys_by_project ON tenant_keys (project, created_at);

-- Grows with every change of the two tables, whoever makes it, so that a running companion knows when
-- to look again.
CREATE TABLE key_version (version INTEGER NOT NULL) STRICT;
INSERT INTO key_version VALUES (1);
CREATE TRIGGER signing_key_added AFTER INSERT ON signing_keys BEGIN UPDATE key_version SET version = version + 1; END;
CREATE TRIGGER signing_key_changed AFTER UPDATE ON signing_keys BEGIN UPDATE key_version SET version = version + 1; END;
CREATE TRIGGER signing_key_removed AFTER DELETE ON signing_keys BEGIN UPDATE key_version SET version = version + 1; END;
CREATE TRIGGER tenant_key_added AFTER INSERT ON tenant_keys BEGIN UPDATE key_version SET version = version + 1; END;
CREATE TRIGGER tenant_key_changed AFTER UPDATE ON tenant_keys BEGIN UPDATE key_version SET version = version + 1; END;
CREATE TRIGGER tenant_key_removed AFTER DELETE ON tenant_keys BEGIN UPDATE key_version SET version = version + 1; END;
