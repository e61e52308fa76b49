-- What gateways measured of each candidate, put together: JSON, as at /internal/v1/models/measures.
CREATE TABLE model_measures (
    candidate  TEXT PRIMARY KEY,
    measures   TEXT NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX model_measures_by_time ON model_measures (updated_at);
