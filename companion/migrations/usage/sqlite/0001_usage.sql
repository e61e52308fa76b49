-- What was used, by whom, priced at the time. Times are microseconds since 1970, hours are hours since
-- 1970, money is nano-dollars, prices are pico-dollars a token. A text that is absent is '', so that it
-- groups and compares; a number that is not known is NULL, because unknown is not zero.
CREATE TABLE usage_records (
    id                 TEXT PRIMARY KEY,
    at                 INTEGER NOT NULL,
    hour               INTEGER NOT NULL,
    node               TEXT NOT NULL,
    tenant             TEXT NOT NULL,
    project            TEXT NOT NULL,
    user_id            TEXT NOT NULL,
    api_key            TEXT NOT NULL,
    request_id         TEXT NOT NULL,
    endpoint           TEXT NOT NULL,
    model              TEXT NOT NULL,
    provider_model     TEXT NOT NULL,
    provider           TEXT NOT NULL,
    source             TEXT NOT NULL,
    status             INTEGER NOT NULL,
    stream             INTEGER NOT NULL,
    outcome            TEXT NOT NULL,
    estimated          INTEGER NOT NULL,
    cut_by_budget      INTEGER NOT NULL,
    input_tokens       INTEGER NOT NULL,
    cached_tokens      INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    output_tokens      INTEGER NOT NULL,
    reasoning_tokens   INTEGER NOT NULL,
    cost_nanos         INTEGER,
    price_input        INTEGER,
    price_output       INTEGER,
    price_cached       INTEGER,
    price_cache_write  INTEGER,
    duration_ms        INTEGER NOT NULL
) STRICT;
CREATE INDEX usage_records_by_project ON usage_records (project, hour);
CREATE INDEX usage_records_by_user ON usage_records (project, user_id, hour);
CREATE INDEX usage_records_by_time ON usage_records (at);

-- Append-only. The third turns REPLACE, which deletes without a word to the second, into nothing.
CREATE TRIGGER usage_records_are_not_changed BEFORE UPDATE ON usage_records
BEGIN
    SELECT RAISE(ABORT, 'usage records are append-only');
END;
CREATE TRIGGER usage_records_are_not_deleted BEFORE DELETE ON usage_records
BEGIN
    SELECT RAISE(ABORT, 'usage records are append-only');
END;
CREATE TRIGGER usage_records_are_not_replaced BEFORE INSERT ON usage_records
WHEN EXISTS (SELECT 1 FROM usage_records WHERE id = NEW.id)
BEGIN
    SELECT RAISE(IGNORE);
END;

-- The records, added up. `unpriced` counts records without a cost, `estimated` those counted by us.
CREATE TABLE usage_hours (
    hour               INTEGER NOT NULL,
    tenant             TEXT NOT NULL,
    project            TEXT NOT NULL,
    user_id            TEXT NOT NULL,
    api_key            TEXT NOT NULL,
    model              TEXT NOT NULL,
    provider           TEXT NOT NULL,
    source             TEXT NOT NULL,
    requests           INTEGER NOT NULL,
    input_tokens       INTEGER NOT NULL,
    cached_tokens      INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    output_tokens      INTEGER NOT NULL,
    reasoning_tokens   INTEGER NOT NULL,
    cost_nanos         INTEGER NOT NULL,
    unpriced           INTEGER NOT NULL,
    estimated          INTEGER NOT NULL,
    PRIMARY KEY (project, user_id, hour, tenant, api_key, model, provider, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_hours_by_project ON usage_hours (project, hour);
CREATE INDEX usage_hours_by_hour ON usage_hours (hour);

-- One budget of one subject in one period. A rolling window has window_seconds > 0 and start_at 0, and
-- is used as its slices say; `used` is then everything since the row was made.
CREATE TABLE budget_periods (
    id             INTEGER PRIMARY KEY,
    budget         TEXT NOT NULL,
    tenant         TEXT NOT NULL,
    project        TEXT NOT NULL,
    user_id        TEXT NOT NULL,
    api_key        TEXT NOT NULL,
    unit           TEXT NOT NULL,
    start_at       INTEGER NOT NULL,
    window_seconds INTEGER NOT NULL,
    end_at         INTEGER NOT NULL,
    limit_amount   INTEGER NOT NULL,
    kind           TEXT NOT NULL,
    used           INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    UNIQUE (project, user_id, tenant, api_key, budget, unit, start_at, window_seconds)
) STRICT;

-- A rolling window in 48ths: what was used in each.
CREATE TABLE budget_slices (
    period INTEGER NOT NULL REFERENCES budget_periods (id),
    slice  INTEGER NOT NULL,
    used   INTEGER NOT NULL,
    PRIMARY KEY (period, slice)
) STRICT, WITHOUT ROWID;

-- What a gateway may spend: `granted` and `charged` are sums since it first asked.
CREATE TABLE budget_leases (
    period     INTEGER NOT NULL REFERENCES budget_periods (id),
    node       TEXT NOT NULL,
    turn       INTEGER NOT NULL,
    granted    INTEGER NOT NULL,
    charged    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (period, node)
) STRICT, WITHOUT ROWID;

-- Which thresholds were told, and when.
CREATE TABLE budget_alerts (
    period    INTEGER NOT NULL REFERENCES budget_periods (id),
    threshold INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (period, threshold)
) STRICT, WITHOUT ROWID;
