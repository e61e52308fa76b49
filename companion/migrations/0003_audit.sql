-- When the key last minted, to about a minute: who revokes a key wants to know whether it is in use.
ALTER TABLE api_keys ADD COLUMN last_used_at INTEGER;

-- Who did what, for good. `details` is a JSON object; it never holds a secret or a token. Neither the
-- project nor the subject is referenced, because a row outlives what it is about.
CREATE TABLE audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL,
    project TEXT,
    address TEXT,
    details TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_project ON audit (project, id);
-- Without mints, which are nearly all rows: those are found by their ids.
CREATE INDEX audit_by_action ON audit (action, id) WHERE action <> 'mint';

-- Append-only. The third refuses what REPLACE does, which deletes without a word to the second.
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit table is append-only');
END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit table is append-only');
END;
CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'the audit table is append-only');
END;
