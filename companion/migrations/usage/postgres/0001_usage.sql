-- What was used, by whom, priced at the time. Times are microseconds since 1970, hours are hours since
-- 1970, money is nano-dollars, prices are pico-dollars a token. A text that is absent is '', so that it
-- groups and compares; a number that is not known is NULL, because unknown is not zero.
CREATE TABLE usage_records (
    id                 TEXT PRIMARY KEY,
    at                 BIGINT NOT NULL,
    hour               BIGINT NOT NULL,
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
    status             BIGINT NOT NULL,
    stream             BIGINT NOT NULL,
    outcome            TEXT NOT NULL,
    estimated          BIGINT NOT NULL,
    cut_by_budget      BIGINT NOT NULL,
    input_tokens       BIGINT NOT NULL,
    cached_tokens      BIGINT NOT NULL,
    cache_write_tokens BIGINT NOT NULL,
    output_tokens      BIGINT NOT NULL,
    reasoning_tokens   BIGINT NOT NULL,
    cost_nanos         BIGINT,
    price_input        BIGINT,
    price_output       BIGINT,
    price_cached       BIGINT,
    price_cache_write  BIGINT,
    duration_ms        BIGINT NOT NULL
);
CREATE INDEX usage_records_by_project ON usage_records (project, hour);
CREATE INDEX usage_records_by_user ON usage_records (project, user_id, hour);
CREATE INDEX usage_records_by_time ON usage_records (at);

-- Append-only.
CREATE FUNCTION usage_records_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'usage records are append-only';
END
$$;
CREATE TRIGGER usage_records_are_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON usage_records
FOR EACH STATEMENT EXECUTE FUNCTION usage_records_are_append_only();

-- The records, added up. `unpriced` counts records without a cost, `estimated` those counted by us.
CREATE TABLE usage_hours (
    hour               BIGINT NOT NULL,
    tenant             TEXT NOT NULL,
    project            TEXT NOT NULL,
    user_id            TEXT NOT NULL,
    api_key            TEXT NOT NULL,
    model              TEXT NOT NULL,
    provider           TEXT NOT NULL,
    source             TEXT NOT NULL,
    requests           BIGINT NOT NULL,
    input_tokens       BIGINT NOT NULL,
    cached_tokens      BIGINT NOT NULL,
    cache_write_tokens BIGINT NOT NULL,
    output_tokens      BIGINT NOT NULL,
    reasoning_tokens   BIGINT NOT NULL,
    cost_nanos         BIGINT NOT NULL,
    unpriced           BIGINT NOT NULL,
    estimated          BIGINT NOT NULL,
    PRIMARY KEY (project, user_id, hour, tenant, api_key, model, provider, source)
);
CREATE INDEX usage_hours_by_project ON usage_hours (project, hour);
CREATE INDEX usage_hours_by_hour ON usage_hours (hour);

-- One budget of one subject in one period. A rolling window has window_seconds > 0 and start_at 0, and
-- is used as its slices say; `used` is then everything since the row was made.
CREATE TABLE budget_periods (
    id             BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    budget         TEXT NOT NULL,
    tenant         TEXT NOT NULL,
    project        TEXT NOT NULL,
    user_id        TEXT NOT NULL,
    api_key        TEXT NOT NULL,
    unit           TEXT NOT NULL,
    start_at       BIGINT NOT NULL,
    window_seconds BIGINT NOT NULL,
    end_at         BIGINT NOT NULL,
    limit_amount   BIGINT NOT NULL,
    kind           TEXT NOT NULL,
    used           BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    UNIQUE (project, user_id, tenant, api_key, budget, unit, start_at, window_seconds)
);

-- A rolling window in 48ths: what was used in each.
CREATE TABLE budget_slices (
    period BIGINT NOT NULL REFERENCES budget_periods (id),
    slice  BIGINT NOT NULL,
    used   BIGINT NOT NULL,
    PRIMARY KEY (period, slice)
);

-- What a gateway may spend: `granted` and `charged` are sums since it first asked.
CREATE TABLE budget_leases (
    period     BIGINT NOT NULL REFERENCES budget_periods (id),
    node       TEXT NOT NULL,
    turn       BIGINT NOT NULL,
    granted    BIGINT NOT NULL,
    charged    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (period, node)
);

-- Which thresholds were told, and when.
CREATE TABLE budget_alerts (
    period    BIGINT NOT NULL REFERENCES budget_periods (id),
    threshold BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    PRIMARY KEY (period, threshold)
);
