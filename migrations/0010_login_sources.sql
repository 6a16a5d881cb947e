-- Where accounts logged in from: guesses from elsewhere do not make such a place wait. Only a hash of both.

CREATE TABLE login_sources (
    key     bytea PRIMARY KEY CHECK (length(key) = 32),
    last_at timestamptz NOT NULL
);
CREATE INDEX login_sources_last ON login_sources (last_at);
