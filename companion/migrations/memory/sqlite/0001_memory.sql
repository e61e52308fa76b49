-- What is remembered of conversations. Times are microseconds since 1970; a text that is absent is ''. Projects are not
-- referenced: a gateway may accept tokens of another issuer, whose projects the companion does not know.
-- Turns that have begun and not yet arrived are not here, but in a journal beside the file.
-- `title` and `raw` are sealed (AES-256-GCM, when there is a key): the first byte says how.
CREATE TABLE threads (
    project       TEXT NOT NULL,
    user_id       TEXT NOT NULL,
    id            TEXT NOT NULL,
    title         BLOB,
    metadata      TEXT NOT NULL,
    message_count INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    PRIMARY KEY (project, user_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX threads_by_update ON threads (project, user_id, updated_at, id);
CREATE INDEX threads_by_age ON threads (project, updated_at);

-- A session that expired and is used again begins anew: what was said before `started_at` is not its own,
-- and `renewed` is 1 as long as some of that is still there.
CREATE TABLE sessions (
    project    TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    id         TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    renewed    INTEGER NOT NULL,
    PRIMARY KEY (project, user_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_end ON sessions (expires_at);
CREATE INDEX sessions_renewed ON sessions (project, user_id, id) WHERE renewed = 1;

-- `seq` is the order of arrival; `answer_at` is the place of the answer's first message, -1 without one; `results_first` says
-- that the turn begins with what tools answered, so that the one before it belongs to it.
CREATE TABLE turns (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    project       TEXT NOT NULL,
    user_id       TEXT NOT NULL,
    id            TEXT NOT NULL,
    thread        TEXT NOT NULL,
    session       TEXT NOT NULL,
    model         TEXT NOT NULL,
    complete      INTEGER NOT NULL,
    finish_reason TEXT NOT NULL,
    answer_at     INTEGER NOT NULL,
    results_first INTEGER NOT NULL,
    bytes         INTEGER NOT NULL,
    tokens        INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    UNIQUE (project, user_id, id)
) STRICT;
CREATE INDEX turns_by_thread ON turns (project, user_id, thread, seq);
CREATE INDEX turns_by_session ON turns (project, user_id, session, seq) WHERE session <> '';

-- `raw` is the message's JSON text as it came, byte for byte. `choice` is 0, or the place among several answers to one
-- question of one that is not the history's. `complete` is 0 of what broke off.
CREATE TABLE messages (
    turn     INTEGER NOT NULL REFERENCES turns (seq) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    choice   INTEGER NOT NULL,
    complete INTEGER NOT NULL,
    raw      BLOB NOT NULL,
    PRIMARY KEY (turn, position)
) STRICT, WITHOUT ROWID;

-- Ids of turns that were deleted, so that a gateway's second try does not bring them back.
CREATE TABLE forgotten_turns (
    project      TEXT NOT NULL,
    user_id      TEXT NOT NULL,
    id           TEXT NOT NULL,
    forgotten_at INTEGER NOT NULL,
    PRIMARY KEY (project, user_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX forgotten_turns_by_age ON forgotten_turns (forgotten_at);

-- After how many days without a new turn a project's threads are deleted.
CREATE TABLE retentions (
    project TEXT PRIMARY KEY,
    days    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Ids of the keys that something is sealed with: a companion without one of them does not start.
CREATE TABLE data_keys (id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
