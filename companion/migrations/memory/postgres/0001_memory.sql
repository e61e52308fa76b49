-- What is remembered of conversations. Times are microseconds since 1970; a text that is absent is ''. Projects are not
-- referenced: a gateway may accept tokens of another issuer, whose projects the companion does not know.
-- `title` and `raw` are sealed (AES-256-GCM, when there is a key): the first byte says how.
CREATE TABLE threads (
    project       TEXT COLLATE "C" NOT NULL,
    user_id       TEXT COLLATE "C" NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    title         BYTEA,
    metadata      TEXT COLLATE "C" NOT NULL,
    message_count BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    PRIMARY KEY (project, user_id, id)
);
CREATE INDEX threads_by_update ON threads (project, user_id, updated_at, id);
CREATE INDEX threads_by_age ON threads (project, updated_at);

-- A session that expired and is used again begins anew: what was said before `started_at` is not its own,
-- and `renewed` is 1 as long as some of that is still there.
CREATE TABLE sessions (
    project    TEXT COLLATE "C" NOT NULL,
    user_id    TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    started_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    renewed    BIGINT NOT NULL,
    PRIMARY KEY (project, user_id, id)
);
CREATE INDEX sessions_by_end ON sessions (expires_at);
CREATE INDEX sessions_renewed ON sessions (project, user_id, id) WHERE renewed = 1;

-- `seq` is the order of arrival; `answer_at` is the place of the answer's first message, -1 without one; `results_first` says
-- that the turn begins with what tools answered, so that the one before it belongs to it.
CREATE TABLE turns (
    seq           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project       TEXT COLLATE "C" NOT NULL,
    user_id       TEXT COLLATE "C" NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    thread        TEXT COLLATE "C" NOT NULL,
    session       TEXT COLLATE "C" NOT NULL,
    model         TEXT COLLATE "C" NOT NULL,
    complete      BIGINT NOT NULL,
    finish_reason TEXT COLLATE "C" NOT NULL,
    answer_at     BIGINT NOT NULL,
    results_first BIGINT NOT NULL,
    bytes         BIGINT NOT NULL,
    tokens        BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    UNIQUE (project, user_id, id)
);
CREATE INDEX turns_by_thread ON turns (project, user_id, thread, seq);
CREATE INDEX turns_by_session ON turns (project, user_id, session, seq) WHERE session <> '';

-- `raw` is the message's JSON text as it came, byte for byte. `choice` is 0, or the place among several answers to one
-- question of one that is not the history's. `complete` is 0 of what broke off.
CREATE TABLE messages (
    turn     BIGINT NOT NULL REFERENCES turns (seq) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    choice   BIGINT NOT NULL,
    complete BIGINT NOT NULL,
    raw      BYTEA NOT NULL,
    PRIMARY KEY (turn, position)
);

-- Turns that have begun and not yet arrived. `seq` is the order of opening; `behind` says how many of the same thread or
-- session were open then; `given_up` that somebody waited for it in vain, so that nobody else does.
CREATE TABLE open_turns (
    seq       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project   TEXT COLLATE "C" NOT NULL,
    user_id   TEXT COLLATE "C" NOT NULL,
    id        TEXT COLLATE "C" NOT NULL,
    thread    TEXT COLLATE "C" NOT NULL,
    session   TEXT COLLATE "C" NOT NULL,
    opened_at BIGINT NOT NULL,
    behind    BIGINT NOT NULL,
    given_up  BIGINT NOT NULL,
    UNIQUE (project, user_id, id)
);

-- Ids of turns that were deleted, so that a gateway's second try does not bring them back.
CREATE TABLE forgotten_turns (
    project      TEXT COLLATE "C" NOT NULL,
    user_id      TEXT COLLATE "C" NOT NULL,
    id           TEXT COLLATE "C" NOT NULL,
    forgotten_at BIGINT NOT NULL,
    PRIMARY KEY (project, user_id, id)
);
CREATE INDEX forgotten_turns_by_age ON forgotten_turns (forgotten_at);

-- After how many days without a new turn a project's threads are deleted.
CREATE TABLE retentions (
    project TEXT COLLATE "C" PRIMARY KEY,
    days    BIGINT NOT NULL
);

-- Ids of the keys that something is sealed with: a companion without one of them does not start.
CREATE TABLE data_keys (id TEXT COLLATE "C" PRIMARY KEY);
