-- The foundation: apps and their domains, scripts and versions, routes, kv, the execution log, the owner and sessions.
-- Every table of an app has app_id first in its primary key, so that a distributed PostgreSQL can shard by it.

CREATE TABLE instance_settings (
    name       text PRIMARY KEY,
    value      jsonb NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE admin_users (
    id            uuid PRIMARY KEY,
    username      text NOT NULL CHECK (length(username) BETWEEN 1 AND 64),
    password_hash text NOT NULL,
    role          text NOT NULL CHECK (role IN ('owner', 'admin', 'member')),
    is_active     boolean NOT NULL DEFAULT true,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX admin_users_username ON admin_users (lower(username));

CREATE TABLE admin_sessions (
    token_hash       bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    id               uuid NOT NULL UNIQUE,
    user_id          uuid NOT NULL REFERENCES admin_users ON DELETE CASCADE,
    created_at       timestamptz NOT NULL DEFAULT now(),
    expires_at       timestamptz NOT NULL,
    ends_at          timestamptz NOT NULL
);
CREATE INDEX admin_sessions_user ON admin_sessions (user_id);

CREATE TABLE setup_links (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    expires_at timestamptz NOT NULL
);

CREATE TABLE apps (
    id          uuid PRIMARY KEY,
    slug        text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name        text NOT NULL,
    description text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE domains (
    app_id     uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
    id         uuid NOT NULL,
    pattern    text NOT NULL UNIQUE,
    kind       text NOT NULL CHECK (kind IN ('exact', 'wildcard')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app_id, id)
);

CREATE TABLE scripts (
    app_id         uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
    id             uuid NOT NULL,
    name           text NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('endpoint', 'module')),
    description    text NOT NULL DEFAULT '',
    version        integer NOT NULL CHECK (version >= 1),
    source         text NOT NULL,
    sandbox        jsonb NOT NULL DEFAULT '{}',
    execute_access text NOT NULL DEFAULT 'open' CHECK (execute_access IN ('open', 'members')),
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app_id, id),
    UNIQUE (app_id, name)
);
CREATE INDEX scripts_id ON scripts (id);

CREATE TABLE script_versions (
    app_id     uuid NOT NULL,
    script_id  uuid NOT NULL,
    version    integer NOT NULL,
    source     text NOT NULL,
    sandbox    jsonb NOT NULL,
    author_id  uuid,
    message    text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app_id, script_id, version),
    FOREIGN KEY (app_id, script_id) REFERENCES scripts ON DELETE CASCADE
);

CREATE TABLE routes (
    app_id        uuid NOT NULL,
    id            uuid NOT NULL,
    script_id     uuid NOT NULL,
    method        text,
    host          text NOT NULL DEFAULT 'any',
    host_kind     text NOT NULL CHECK (host_kind IN ('any', 'strict', 'wildcard')),
    path          text NOT NULL,
    path_kind     text NOT NULL CHECK (path_kind IN ('exact', 'prefix', 'param')),
    dispatch_mode text NOT NULL DEFAULT 'sync' CHECK (dispatch_mode IN ('sync', 'async')),
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app_id, id),
    FOREIGN KEY (app_id, script_id) REFERENCES scripts ON DELETE CASCADE
);
CREATE INDEX routes_script ON routes (app_id, script_id);

-- A value is the MessagePack the guest wrote: exact for every Rhai value (integers, floats, blobs, NUL in strings).
CREATE TABLE kv_entries (
    app_id     uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
    collection text NOT NULL CHECK (octet_length(collection) BETWEEN 1 AND 128),
    key        text COLLATE "C" NOT NULL CHECK (octet_length(key) BETWEEN 1 AND 512),
    value      bytea NOT NULL,
    expires_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app_id, collection, key)
);

-- No foreign key to scripts: the log outlives them, and a bulk write must not fail for one deleted script.
CREATE TABLE execution_logs (
    app_id              uuid NOT NULL,
    id                  uuid NOT NULL,
    script_id           uuid NOT NULL,
    version             integer NOT NULL,
    ingress             text NOT NULL,
    request_id          text NOT NULL,
    request             jsonb NOT NULL,
    outcome             text NOT NULL,
    status              integer,
    response            jsonb,
    error               jsonb,
    cache               text NOT NULL CHECK (cache IN ('cold', 'cached', 'none')),
    fuel                bigint NOT NULL,
    operations          bigint,
    peak_memory_bytes   bigint NOT NULL,
    wall_ms             double precision NOT NULL,
    host_call_ms        double precision NOT NULL,
    host_calls          jsonb NOT NULL,
    logs                jsonb NOT NULL,
    logs_dropped        integer NOT NULL DEFAULT 0,
    root_execution_id   uuid NOT NULL,
    parent_execution_id uuid,
    started_at          timestamptz NOT NULL,
    PRIMARY KEY (app_id, id)
);
CREATE INDEX execution_logs_script ON execution_logs (app_id, script_id, id DESC);
