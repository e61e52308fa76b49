-- A tenant's projects, and the keys that mint tokens for them.
CREATE TABLE projects (
    id         TEXT PRIMARY KEY,
    tenant     TEXT NOT NULL,
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (tenant, name)
) STRICT;

-- `hash` is the SHA-256 of the whole key; the key itself is nowhere.
CREATE TABLE api_keys (
    id         TEXT PRIMARY KEY,
    project    TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    hash       BLOB NOT NULL UNIQUE,
    hint       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
CREATE INDEX api_keys_by_project ON api_keys (project, created_at);

-- Times are microseconds since 1970. Projects are not referenced: a gateway may accept tokens of
-- another issuer, whose projects the companion does not know.
CREATE TABLE threads (
    project       TEXT NOT NULL,
    user          TEXT NOT NULL,
    id            TEXT NOT NULL,
    title         TEXT,
    message_count INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    PRIMARY KEY (project, user, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX threads_by_update ON threads (project, user, updated_at, id);

-- `seq` is the order of arrival.
CREATE TABLE turns (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    project       TEXT NOT NULL,
    user          TEXT NOT NULL,
    id            TEXT NOT NULL,
    thread        TEXT,
    session       TEXT,
    model         TEXT,
    complete      INTEGER NOT NULL,
    finish_reason TEXT,
    bytes         INTEGER NOT NULL,
    answered      INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    UNIQUE (project, user, id),
    FOREIGN KEY (project, user, thread) REFERENCES threads (project, user, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX turns_by_thread ON turns (project, user, thread, seq);
CREATE INDEX turns_by_session ON turns (project, user, session, seq);
CREATE INDEX turns_of_sessions_by_age ON turns (created_at) WHERE thread IS NULL;

-- `raw` is the message's JSON text as it came, byte for byte.
CREATE TABLE messages (
    turn     INTEGER NOT NULL REFERENCES turns (seq) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    raw      TEXT NOT NULL,
    PRIMARY KEY (turn, position)
) STRICT, WITHOUT ROWID;

-- Ids of turns whose thread was deleted, so that a gateway's second try does not bring them back.
CREATE TABLE forgotten_turns (
    project      TEXT NOT NULL,
    user         TEXT NOT NULL,
    id           TEXT NOT NULL,
    forgotten_at INTEGER NOT NULL,
    PRIMARY KEY (project, user, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX forgotten_turns_by_age ON forgotten_turns (forgotten_at);
