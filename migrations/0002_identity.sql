-- People and keys: what users have beside a password, API keys, members of apps, the audit log.

ALTER TABLE admin_users
    ADD COLUMN email         text CHECK (length(email) BETWEEN 3 AND 254),
    ADD COLUMN last_login_at timestamptz;
CREATE UNIQUE INDEX admin_users_email ON admin_users (lower(email));

ALTER TABLE admin_sessions
    ADD COLUMN last_seen_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN address      text NOT NULL DEFAULT '',
    ADD COLUMN user_agent   text NOT NULL DEFAULT '' CHECK (length(user_agent) <= 256);

-- The key itself is stored nowhere: 256 random bits need no slow hash, the prefix finds the row.
CREATE TABLE api_keys (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES admin_users ON DELETE CASCADE,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    prefix       text NOT NULL CHECK (length(prefix) = 8),
    key_hash     bytea NOT NULL UNIQUE CHECK (length(key_hash) = 32),
    scopes       text[] NOT NULL,
    app_id       uuid REFERENCES apps ON DELETE CASCADE,
    expires_at   timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz
);
CREATE INDEX api_keys_prefix ON api_keys (prefix);
CREATE INDEX api_keys_user ON api_keys (user_id, id);
CREATE INDEX api_keys_app ON api_keys (app_id);

CREATE TABLE app_members (
    app_id     uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
    user_id    uuid NOT NULL REFERENCES admin_users ON DELETE CASCADE,
    role       text NOT NULL CHECK (role IN ('app_admin', 'editor', 'viewer')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app_id, user_id)
);
CREATE INDEX app_members_user ON app_members (user_id);

-- No foreign keys: the log outlives what it is about. app_id is null for what belongs to the instance.
CREATE TABLE audit_log (
    id         uuid PRIMARY KEY,
    app_id     uuid,
    at         timestamptz NOT NULL DEFAULT now(),
    user_id    uuid,
    username   text NOT NULL,
    key_id     uuid,
    address    text NOT NULL,
    request_id text NOT NULL,
    action     text NOT NULL,
    outcome    text NOT NULL CHECK (outcome IN ('done', 'refused')),
    reason     text,
    target     text,
    before     jsonb,
    after      jsonb
);
CREATE INDEX audit_log_app ON audit_log (app_id, id DESC);
CREATE INDEX audit_log_user ON audit_log (user_id, id DESC);

-- Counts of log-in attempts, shared by workers and nodes; losing them in a crash costs nothing.
CREATE UNLOGGED TABLE login_attempts (
    key        bytea PRIMARY KEY CHECK (length(key) = 32),
    count      integer NOT NULL,
    not_before timestamptz NOT NULL,
    last_at    timestamptz NOT NULL
);
CREATE INDEX login_attempts_last ON login_attempts (last_at);
