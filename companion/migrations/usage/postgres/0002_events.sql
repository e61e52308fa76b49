-- What happened and is to be told, an outbox: written in the transaction of what it tells of. `fields` is
-- a JSON object of texts, without user names. `spread` is 1 once every target has its delivery.
CREATE TABLE events (
    number      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    type        TEXT NOT NULL,
    fields      TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    spread      BIGINT NOT NULL
);
CREATE INDEX events_to_spread ON events (number) WHERE spread = 0;
CREATE INDEX events_by_time ON events (recorded_at);

-- What is still to be told to whom. A row is deleted when it was told; due_at is set ahead while a
-- companion is telling it; failed_at is 0 until it was given up.
CREATE TABLE event_deliveries (
    target    TEXT NOT NULL,
    event     BIGINT NOT NULL REFERENCES events (number),
    attempts  BIGINT NOT NULL,
    due_at    BIGINT NOT NULL,
    failed_at BIGINT NOT NULL,
    PRIMARY KEY (target, event)
);
CREATE INDEX event_deliveries_due ON event_deliveries (target, due_at) WHERE failed_at = 0;
CREATE INDEX event_deliveries_by_event ON event_deliveries (event);

-- Keys of this installation alone: what a user's name is hashed with before it stands in an event.
CREATE TABLE installation_keys (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- What may be spent of a rate limit, where no Redis keeps it (`allowance.rs`). Worthless after expires_at.
CREATE TABLE allowances (
    id         TEXT PRIMARY KEY,
    state      TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX allowances_by_end ON allowances (expires_at);
