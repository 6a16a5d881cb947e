
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

CREATE FUNCTION public.cors_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.routing_revision := NEW.routing_revision + 1;
    RETURN NEW;
END $$;

SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE public.docs (
    app_id uuid NOT NULL,
    collection text NOT NULL,
    id uuid NOT NULL,
    data jsonb NOT NULL,
    size integer GENERATED ALWAYS AS (octet_length((data)::text)) STORED NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT docs_collection_check CHECK (((octet_length(collection) >= 1) AND (octet_length(collection) <= 128))),
    CONSTRAINT docs_data_check CHECK ((jsonb_typeof(data) = 'object'::text)),
    CONSTRAINT docs_size_check CHECK ((size <= ((2 * 1024) * 1024)))
);

CREATE FUNCTION public.docs_envelope(doc public.docs) RETURNS text
    LANGUAGE sql STABLE
    AS $$
    SELECT '{"id":"' || doc.id || '","data":' || doc.data::text
        || ',"created_at":"' || to_char(doc.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
        || '","updated_at":"' || to_char(doc.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '"}'
$$;

CREATE FUNCTION public.docs_json_size(data jsonb) RETURNS integer
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT octet_length(written.data) - octet_length(bare.data) + octet_length(replace(bare.data, ' ', ''))
    FROM (SELECT data::text) AS written (data),
        LATERAL (SELECT regexp_replace(written.data, '"(?:[^"\\]|\\.)*"', '', 'g')) AS bare (data)
$$;

CREATE FUNCTION public.docs_merge_patch(target jsonb, patch jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    AS $$
BEGIN
    IF jsonb_typeof(patch) <> 'object' THEN
        RETURN patch;
    END IF;
    IF target IS NULL OR jsonb_typeof(target) <> 'object' THEN
        target := '{}';
    END IF;
    RETURN (
        SELECT coalesce(jsonb_object_agg(field.key, field.value), '{}')
        FROM (
            SELECT kept.key, kept.value FROM jsonb_each(target) kept WHERE NOT patch ? kept.key
            UNION ALL
            SELECT changed.key, docs_merge_patch(target -> changed.key, changed.value)
            FROM jsonb_each(patch) changed WHERE changed.value <> 'null'
        ) field
    );
END
$$;

CREATE FUNCTION public.docs_number(value jsonb) RETURNS numeric
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT CASE WHEN jsonb_typeof(value) = 'number' THEN value::numeric END
$$;

CREATE FUNCTION public.docs_ordered(app_id uuid, collection text, data jsonb) RETURNS tsvector
    LANGUAGE plpgsql IMMUTABLE COST 1000 PARALLEL SAFE
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
    root    text := left(encode(sha256(convert_to(app_id || collection, 'UTF8')), 'hex'), 12);
    parents text[] := ARRAY[root];
    objects jsonb[] := ARRAY[data];
    terms   text[] := '{}';
    fields  integer := 0;
    level   record;
BEGIN
    FOR depth IN 1..5 LOOP
        SELECT count(*) AS fields,
            array_agg(name) FILTER (WHERE type = 'object') AS parents,
            array_agg(value) FILTER (WHERE type = 'object') AS objects,
            array_agg(name || CASE
                WHEN type = 'string' THEN 's'
                WHEN value::numeric < 0 THEN 'm'
                ELSE 'n'
            END || rtrim(substr(('x' || encode(CASE
                WHEN type = 'string' THEN
                    substring(convert_to(left(value #>> '{}', 16), 'UTF8') FOR 16)
                WHEN abs(value::numeric) < 1e-307 THEN '\x0000000000000000'
                ELSE float8send(least(abs(value::numeric), 1e308)::float8)
            END, 'hex'))::varbit::text, CASE WHEN type = 'string' THEN 1 ELSE 2 END), '0'))
            FILTER (WHERE type IN ('number', 'string')) AS terms
        INTO level
        FROM (
            SELECT left(encode(sha256(convert_to(parent.name || field.key, 'UTF8')), 'hex'), 12) AS name,
                field.value, jsonb_typeof(field.value) AS type
            FROM unnest(parents, objects) AS parent (name, object), jsonb_each(parent.object) AS field
            LIMIT 1001
        ) AS field;
        fields := fields + level.fields;
        IF fields > 1000 THEN
            RETURN array_to_tsvector(ARRAY[root]);
        END IF;
        terms := terms || level.terms;
        EXIT WHEN level.objects IS NULL;
        parents := level.parents;
        objects := level.objects;
    END LOOP;
    RETURN array_to_tsvector(terms);
END
$$;

CREATE FUNCTION public.docs_sample(app uuid, name text) RETURNS SETOF public.docs
    LANGUAGE plpgsql STABLE ROWS 32
    AS $$
DECLARE
    low  bigint := ('x' || left(translate((
        SELECT id FROM docs WHERE app_id = app AND collection = name ORDER BY id LIMIT 1
    )::text, '-', ''), 15))::bit(60)::bigint;
    high bigint := ('x' || left(translate((
        SELECT id FROM docs WHERE app_id = app AND collection = name ORDER BY id DESC LIMIT 1
    )::text, '-', ''), 15))::bit(60)::bigint;
BEGIN
    RETURN QUERY SELECT doc.* FROM generate_series(0, 31) AS step, LATERAL (
        SELECT * FROM docs
        WHERE app_id = app AND collection = name
            AND id >= (lpad(to_hex(low + (high - low) / 31 * step), 15, '0') || repeat('0', 17))::uuid
        ORDER BY id LIMIT 1
    ) AS doc;
END
$$;

CREATE FUNCTION public.docs_scoped(app_id uuid, collection text, data jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT jsonb_build_object(app_id::text || collection, data)
$$;

CREATE FUNCTION public.docs_text(value jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT CASE WHEN jsonb_typeof(value) IN ('string', 'boolean') THEN value #>> '{}' END
$$;

CREATE FUNCTION public.docs_type_rank(value jsonb) RETURNS integer
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT CASE jsonb_typeof(value)
        WHEN 'number' THEN 1 WHEN 'string' THEN 2 WHEN 'boolean' THEN 3 WHEN 'array' THEN 4 WHEN 'object' THEN 4 ELSE 0
    END
$$;

CREATE TABLE public.files (
    app_id uuid NOT NULL,
    collection text NOT NULL COLLATE pg_catalog."C",
    id uuid NOT NULL,
    blob uuid NOT NULL,
    name text NOT NULL,
    content_type text NOT NULL,
    size bigint NOT NULL,
    sha256 bytea NOT NULL,
    metadata json NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT files_collection_check CHECK (((octet_length(collection) >= 1) AND (octet_length(collection) <= 128))),
    CONSTRAINT files_content_type_check CHECK (((octet_length(content_type) >= 1) AND (octet_length(content_type) <= 255))),
    CONSTRAINT files_metadata_check CHECK (((json_typeof(metadata) = 'object'::text) AND (octet_length((metadata)::text) <= 16384))),
    CONSTRAINT files_name_check CHECK (((octet_length(name) >= 1) AND (octet_length(name) <= 255))),
    CONSTRAINT files_sha256_check CHECK ((octet_length(sha256) = 32)),
    CONSTRAINT files_size_check CHECK ((size >= 0))
);

CREATE FUNCTION public.files_entry(file public.files) RETURNS text
    LANGUAGE sql STABLE
    AS $$
    SELECT '{"id":"' || file.id || '","name":' || to_json(file.name)
        || ',"content_type":' || to_json(file.content_type) || ',"size":' || file.size
        || ',"sha256":"' || encode(file.sha256, 'hex') || '","metadata":' || file.metadata::text
        || ',"created_at":"' || to_char(file.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
        || '","updated_at":"' || to_char(file.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '"}'
$$;

CREATE FUNCTION public.files_kept(file public.files) RETURNS bigint
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT file.size + octet_length(file.metadata::text)
$$;

CREATE FUNCTION public.files_usage() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO usage_deltas (app_id, store, rows, bytes) VALUES (NEW.app_id, 'files', 1, files_kept(NEW));
    ELSE
        INSERT INTO usage_deltas (app_id, store, rows, bytes)
        VALUES (NEW.app_id, 'files', 0, files_kept(NEW) - files_kept(OLD));
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.files_usage_removed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO usage_deltas (app_id, store, rows, bytes)
    SELECT app_id, 'files', -count(*), -sum(size + octet_length(metadata::text)) FROM gone GROUP BY app_id;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.kv_usage() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO usage_deltas (app_id, store, rows, bytes)
        VALUES (NEW.app_id, 'kv', 1, octet_length(NEW.key) + octet_length(NEW.value));
    ELSE
        INSERT INTO usage_deltas (app_id, store, rows, bytes)
        VALUES (NEW.app_id, 'kv', 0, octet_length(NEW.value) - octet_length(OLD.value));
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.kv_usage_removed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO usage_deltas (app_id, store, rows, bytes)
    SELECT app_id, 'kv', -count(*), -sum(octet_length(key) + octet_length(value)) FROM gone GROUP BY app_id;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.routes_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    WITH changed_app AS (
        UPDATE apps
        SET routing_revision = routing_revision + 1,
            route_count = route_count + CASE TG_OP WHEN 'INSERT' THEN n WHEN 'DELETE' THEN -n ELSE 0 END
        FROM (SELECT app_id, count(*) AS n FROM changed GROUP BY app_id) AS counted
        WHERE id = counted.app_id
        RETURNING id, routing_revision
    ), forgotten AS (
        DELETE FROM route_changes USING changed_app
        WHERE app_id = changed_app.id AND revision <= changed_app.routing_revision - 1000
    )
    INSERT INTO route_changes (app_id, revision, route_id)
    SELECT changed_app.id, changed_app.routing_revision, changed.id
    FROM changed JOIN changed_app ON changed_app.id = changed.app_id;
    RETURN NULL;
END $$;

CREATE FUNCTION public.size_usage() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO usage_deltas (app_id, store, rows, bytes) VALUES (NEW.app_id, TG_TABLE_NAME, 1, NEW.size);
    ELSE
        INSERT INTO usage_deltas (app_id, store, rows, bytes)
        VALUES (NEW.app_id, TG_TABLE_NAME, 0, NEW.size - OLD.size);
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.size_usage_removed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO usage_deltas (app_id, store, rows, bytes)
    SELECT app_id, TG_TABLE_NAME, -count(*), -sum(size) FROM gone GROUP BY app_id;
    RETURN NULL;
END
$$;

CREATE TABLE public.admin_sessions (
    token_hash bytea NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone DEFAULT now() NOT NULL,
    address text DEFAULT ''::text NOT NULL,
    user_agent text DEFAULT ''::text NOT NULL,
    CONSTRAINT admin_sessions_token_hash_check CHECK ((length(token_hash) = 32)),
    CONSTRAINT admin_sessions_user_agent_check CHECK ((length(user_agent) <= 256))
);

CREATE TABLE public.admin_users (
    id uuid NOT NULL,
    username text NOT NULL,
    password_hash text NOT NULL,
    role text NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    email text,
    last_login_at timestamp with time zone,
    CONSTRAINT admin_users_email_check CHECK (((length(email) >= 3) AND (length(email) <= 254))),
    CONSTRAINT admin_users_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'admin'::text, 'member'::text]))),
    CONSTRAINT admin_users_username_check CHECK (((length(username) >= 1) AND (length(username) <= 64)))
);

CREATE TABLE public.api_keys (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    name text NOT NULL,
    prefix text NOT NULL,
    key_hash bytea NOT NULL,
    scopes text[] NOT NULL,
    app_id uuid,
    expires_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_used_at timestamp with time zone,
    CONSTRAINT api_keys_key_hash_check CHECK ((length(key_hash) = 32)),
    CONSTRAINT api_keys_name_check CHECK (((length(name) >= 1) AND (length(name) <= 128))),
    CONSTRAINT api_keys_prefix_check CHECK ((length(prefix) = 8))
);

CREATE TABLE public.app_members (
    app_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT app_members_role_check CHECK ((role = ANY (ARRAY['app_admin'::text, 'editor'::text, 'viewer'::text])))
);

CREATE TABLE public.app_slug_history (
    app_id uuid NOT NULL,
    slug text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.app_usage (
    app_id uuid NOT NULL,
    store text NOT NULL,
    rows bigint NOT NULL,
    bytes bigint NOT NULL,
    CONSTRAINT app_usage_store_check CHECK ((store = ANY (ARRAY['kv'::text, 'docs'::text, 'files'::text])))
);

CREATE TABLE public.apps (
    id uuid NOT NULL,
    slug text NOT NULL,
    name text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    cors jsonb,
    routing_revision bigint DEFAULT 0 NOT NULL,
    route_count integer DEFAULT 0 NOT NULL,
    CONSTRAINT apps_slug_check CHECK ((slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'::text))
);

CREATE TABLE public.audit_log (
    id uuid NOT NULL,
    app_id uuid,
    at timestamp with time zone DEFAULT now() NOT NULL,
    user_id uuid,
    username text NOT NULL,
    key_id uuid,
    address text NOT NULL,
    request_id text NOT NULL,
    action text NOT NULL,
    outcome text NOT NULL,
    reason text,
    target text,
    before jsonb,
    after jsonb,
    times bigint DEFAULT 1 NOT NULL,
    last_at timestamp with time zone,
    fold bytea,
    CONSTRAINT audit_log_fold_check CHECK ((length(fold) = 32)),
    CONSTRAINT audit_log_outcome_check CHECK ((outcome = ANY (ARRAY['done'::text, 'refused'::text]))),
    CONSTRAINT audit_log_times_check CHECK ((times >= 1))
);

CREATE TABLE public.domains (
    app_id uuid NOT NULL,
    id uuid NOT NULL,
    pattern text NOT NULL,
    kind text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT domains_kind_check CHECK ((kind = ANY (ARRAY['exact'::text, 'wildcard'::text])))
);

CREATE TABLE public.execution_logs (
    app_id uuid NOT NULL,
    id uuid NOT NULL,
    script_id uuid NOT NULL,
    version integer NOT NULL,
    ingress text NOT NULL,
    request_id text NOT NULL,
    request jsonb NOT NULL,
    outcome text NOT NULL,
    status integer,
    response jsonb,
    error jsonb,
    cache text NOT NULL,
    fuel bigint NOT NULL,
    operations bigint,
    peak_memory_bytes bigint NOT NULL,
    wall_ms double precision NOT NULL,
    host_call_ms double precision NOT NULL,
    host_calls jsonb NOT NULL,
    logs jsonb NOT NULL,
    logs_dropped integer DEFAULT 0 NOT NULL,
    root_execution_id uuid NOT NULL,
    parent_execution_id uuid,
    started_at timestamp with time zone NOT NULL,
    outbound jsonb DEFAULT '[]'::jsonb NOT NULL,
    outbound_dropped integer DEFAULT 0 NOT NULL,
    CONSTRAINT execution_logs_cache_check CHECK ((cache = ANY (ARRAY['cold'::text, 'cached'::text, 'none'::text])))
);

CREATE TABLE public.instance_settings (
    name text NOT NULL,
    value jsonb NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.kv_entries (
    app_id uuid NOT NULL,
    collection text NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    value bytea NOT NULL,
    expires_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT kv_entries_collection_check CHECK (((octet_length(collection) >= 1) AND (octet_length(collection) <= 128))),
    CONSTRAINT kv_entries_key_check CHECK (((octet_length(key) >= 1) AND (octet_length(key) <= 512)))
);

CREATE UNLOGGED TABLE public.login_attempts (
    key bytea NOT NULL,
    count integer NOT NULL,
    not_before timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    CONSTRAINT login_attempts_key_check CHECK ((length(key) = 32))
);

CREATE TABLE public.login_sources (
    key bytea NOT NULL,
    last_at timestamp with time zone NOT NULL,
    CONSTRAINT login_sources_key_check CHECK ((length(key) = 32))
);

CREATE TABLE public.route_changes (
    app_id uuid NOT NULL,
    revision bigint NOT NULL,
    route_id uuid NOT NULL
);

CREATE TABLE public.routes (
    app_id uuid NOT NULL,
    id uuid NOT NULL,
    script_id uuid NOT NULL,
    method text,
    host text DEFAULT 'any'::text NOT NULL,
    host_kind text NOT NULL,
    path text NOT NULL,
    path_kind text NOT NULL,
    dispatch_mode text DEFAULT 'sync'::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    host_shape text DEFAULT 'any'::text NOT NULL,
    shape text DEFAULT ''::text NOT NULL,
    stem text DEFAULT ''::text NOT NULL,
    tail text[] DEFAULT '{}'::text[] NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT routes_dispatch_mode_check CHECK ((dispatch_mode = ANY (ARRAY['sync'::text, 'async'::text]))),
    CONSTRAINT routes_host_kind_check CHECK ((host_kind = ANY (ARRAY['any'::text, 'strict'::text, 'wildcard'::text]))),
    CONSTRAINT routes_path_kind_check CHECK ((path_kind = ANY (ARRAY['exact'::text, 'prefix'::text, 'param'::text])))
);

CREATE TABLE public.schema_migrations (
    version integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.script_imports (
    app_id uuid NOT NULL,
    script_id uuid NOT NULL,
    name text NOT NULL,
    CONSTRAINT script_imports_name_check CHECK (((octet_length(name) >= 1) AND (octet_length(name) <= 128)))
);

CREATE TABLE public.script_versions (
    app_id uuid NOT NULL,
    script_id uuid NOT NULL,
    version integer NOT NULL,
    source text NOT NULL,
    sandbox jsonb NOT NULL,
    author_id uuid,
    message text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    kind text NOT NULL,
    sha256 bytea NOT NULL,
    size integer NOT NULL,
    CONSTRAINT script_versions_kind_check CHECK ((kind = ANY (ARRAY['endpoint'::text, 'module'::text]))),
    CONSTRAINT script_versions_sha256_check CHECK ((length(sha256) = 32))
);

CREATE TABLE public.scripts (
    app_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    version integer NOT NULL,
    source text NOT NULL,
    sandbox jsonb DEFAULT '{}'::jsonb NOT NULL,
    execute_access text DEFAULT 'open'::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    kept_bytes bigint DEFAULT 0 NOT NULL,
    CONSTRAINT scripts_execute_access_check CHECK ((execute_access = ANY (ARRAY['open'::text, 'members'::text]))),
    CONSTRAINT scripts_kept_bytes_check CHECK ((kept_bytes >= 0)),
    CONSTRAINT scripts_kind_check CHECK ((kind = ANY (ARRAY['endpoint'::text, 'module'::text]))),
    CONSTRAINT scripts_version_check CHECK ((version >= 1))
);

CREATE TABLE public.setup_links (
    token_hash bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT setup_links_token_hash_check CHECK ((length(token_hash) = 32))
);

CREATE TABLE public.usage_deltas (
    app_id uuid NOT NULL,
    id bigint NOT NULL,
    store text NOT NULL,
    rows bigint NOT NULL,
    bytes bigint NOT NULL,
    writer xid8 DEFAULT pg_current_xact_id() NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='10000');

ALTER TABLE public.usage_deltas ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.usage_deltas_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

INSERT INTO public.admin_users VALUES ('01a22d97-05ab-7770-b6fc-385709010327', 'ada', '$argon2id$v=19$m=32768,t=3,p=1$LXDhJpzeBwaVMcsTY03Z6A$ZFlHi3u+YafRnWOIiUcyy9tubQ1/8lIkclpknFIs3tw', 'owner', true, '2026-11-30 17:53:21.825909+00', '2026-11-30 17:53:21.825909+00', NULL, '2026-11-30 17:53:49.760135+00');
INSERT INTO public.admin_users VALUES ('01a22d97-b96e-7718-b870-fdc00208d578', 'grace', '$argon2id$v=19$m=32768,t=3,p=1$FhXFjekh15IHBeExGmmg3w$VAz4JIkSHor6PhGJWhA4a3tZPGAcFooUDQmjAMuxJd0', 'member', true, '2026-11-30 17:54:07.852922+00', '2026-11-30 17:54:07.852922+00', 'grace@example.com', NULL);

INSERT INTO public.api_keys VALUES ('01a22d97-72e3-75ea-909a-391f985ebc7d', '01a22d97-05ab-7770-b6fc-385709010327', 'cli@vm', 'ru22hcbr', '\x2ca5b7e95da61286fa15d72aad5d14524f6c5222a7f844c118b6a910b605bec3', '{script:read,script:write,route:write,domain:manage,app:admin,log:read,instance:admin}', NULL, NULL, '2026-11-30 17:53:49.796169+00', '2026-11-30 17:53:50.717035+00');
INSERT INTO public.api_keys VALUES ('01a22d97-c852-75b4-901a-3bf981db5541', '01a22d97-05ab-7770-b6fc-385709010327', 'ci', 'yi6nojzj', '\x7a78a1545c500cbcd71f14862de0f967e89d5354678efca127bc54df5e0a2357', '{script:read,script:write}', NULL, NULL, '2026-11-30 17:54:11.667202+00', NULL);

INSERT INTO public.app_members VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', '01a22d97-b96e-7718-b870-fdc00208d578', 'editor', '2026-11-30 17:54:23.155804+00', '2026-11-30 17:54:23.155804+00');

INSERT INTO public.app_usage VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', 'docs', 5, 195);
INSERT INTO public.app_usage VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', 'files', 5, 47);
INSERT INTO public.app_usage VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', 'kv', 4, 62);

INSERT INTO public.apps VALUES ('01a22d97-003a-7684-9634-87937cd33a35', 'default', 'Default', 'Made at the first start.', '2026-11-30 17:53:20.431287+00', '2026-11-30 17:53:20.431287+00', NULL, 1, 1);
INSERT INTO public.apps VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', 'shop', 'The shop', '', '2026-11-30 17:53:50.70837+00', '2026-11-30 17:53:50.70837+00', NULL, 1, 1);

INSERT INTO public.audit_log VALUES ('01a22d97-05ae-70ff-b722-20dea9eb54df', NULL, '2026-11-30 17:53:21.825909+00', NULL, 'console', NULL, '', '', 'setup.bootstrap', 'done', NULL, '01a22d97-05ab-7770-b6fc-385709010327', NULL, '{"role": "owner", "email": null, "username": "ada", "is_active": true}', 1, NULL, NULL);
INSERT INTO public.audit_log VALUES ('01a22d97-72c1-7622-bbf2-3d5b32ec1f04', NULL, '2026-11-30 17:53:49.760135+00', '01a22d97-05ab-7770-b6fc-385709010327', 'ada', NULL, '127.0.0.1', '4a3896c2aa420dc206fbf89f', 'session.login', 'done', NULL, '01a22d97-72bf-7562-ba2a-0635d27a1c77', NULL, NULL, 1, NULL, NULL);
INSERT INTO public.audit_log VALUES ('01a22d97-72eb-70b5-a80c-b3d9a836f280', NULL, '2026-11-30 17:53:49.796169+00', '01a22d97-05ab-7770-b6fc-385709010327', 'ada', NULL, '127.0.0.1', '0cb68f1b8eba0025711a3c7c', 'key.create', 'done', NULL, '01a22d97-72e3-75ea-909a-391f985ebc7d', NULL, '{"name": "cli@vm", "app_id": null, "prefix": "ru22hcbr", "scopes": ["script:read", "script:write", "route:write", "domain:manage", "app:admin", "log:read", "instance:admin"], "user_id": "01a22d97-05ab-7770-b6fc-385709010327", "expires_at": null}', 1, NULL, NULL);
INSERT INTO public.audit_log VALUES ('01a22d97-72f4-738c-8d16-b691a79ad276', NULL, '2026-11-30 17:53:49.812032+00', '01a22d97-05ab-7770-b6fc-385709010327', 'ada', NULL, '127.0.0.1', 'ec651bdd30e55194be258880', 'session.logout', 'done', NULL, '01a22d97-72bf-7562-ba2a-0635d27a1c77', NULL, NULL, 1, NULL, NULL);
INSERT INTO public.audit_log VALUES ('01a22d97-767d-755a-8d5f-958a22284edd', '01a22d97-7673-7744-8c47-5dd2967457c0', '2026-11-30 17:53:50.70837+00', '01a22d97-05ab-7770-b6fc-385709010327', 'ada', '01a22d97-72e3-75ea-909a-391f985ebc7d', '127.0.0.1', '770a064d7a5006ff3e0ef3aa', 'app.create', 'done', NULL, '01a22d97-7673-7744-8c47-5dd2967457c0', NULL, '{"name": "The shop", "slug": "shop", "description": ""}', 1, NULL, NULL);
INSERT INTO public.audit_log VALUES ('01a22d97-79d3-70da-be34-cf339d3380c7', '01a22d97-7673-7744-8c47-5dd2967457c0', '2026-11-30 17:53:51.566038+00', '01a22d97-05ab-7770-b6fc-385709010327', 'ada', '01a22d97-72e3-75ea-909a-391f985ebc7d', '127.0.0.1', '605403b4926b0ebfca81dda2', 'script.create', 'done', NULL, '01a22d97-79ce-72dd-a6f5-e4b283454720', NULL, '{"kind": "endpoint", "name": "visits", "sha256": "cd5e46d84d4c13389276451f0b2422d529a5def74aee8add541a0f78ff48f952", "sandbox": {}, "version": 1, "description": "", "execute_access": "open"}', 1, NULL, NULL);
INSERT INTO public.audit_log VALUES ('01a22d97-806e-767c-a89c-5f465e769db9', '01a22d97-7673-7744-8c47-5dd2967457c0', '2026-11-30 17:53:53.241033+00', '01a22d97-05ab-7770-b6fc-385709010327', 'ada', '01a22d97-72e3-75ea-909a-391f985ebc7d', '127.0.0.1', 'a5eb57550419c660899afb12', 'route.create', 'done', NULL, '01a22d97-8064-74d3-8316-0741117144e8', NULL, '{"host": "any", "path": "/visits", "method": "POST", "script_id": "01a22d97-79ce-72dd-a6f5-e4b283454720", "dispatch_mode": "sync"}', 1, NULL, NULL);
INSERT INTO public.audit_log VALUES ('01a22d97-b96f-703d-8b85-fc52aa645e5e', NULL, '2026-11-30 17:54:07.852922+00', '01a22d97-05ab-7770-b6fc-385709010327', 'ada', '01a22d97-72e3-75ea-909a-391f985ebc7d', '127.0.0.1', '432d03af7e9ab62e4fa23cb9', 'user.create', 'done', NULL, '01a22d97-b96e-7718-b870-fdc00208d578', NULL, '{"role": "member", "email": "grace@example.com", "username": "grace", "is_active": true}', 1, NULL, NULL);
INSERT INTO public.audit_log VALUES ('01a22d97-c007-7444-a5c2-db5964cee9ae', '01a22d97-7673-7744-8c47-5dd2967457c0', '2026-11-30 17:54:09.531737+00', '01a22d97-05ab-7770-b6fc-385709010327', 'ada', '01a22d97-72e3-75ea-909a-391f985ebc7d', '127.0.0.1', 'e53f3bdd25f9ee41dd00197e', 'domain.create', 'done', NULL, '01a22d97-c005-77a1-a145-1d89462dfb4d', NULL, '{"pattern": "shop.example.com"}', 1, NULL, NULL);
INSERT INTO public.audit_log VALUES ('01a22d97-c4bc-7674-9a15-b053ca6702b2', '01a22d97-7673-7744-8c47-5dd2967457c0', '2026-11-30 17:54:10.739277+00', '01a22d97-05ab-7770-b6fc-385709010327', 'ada', '01a22d97-72e3-75ea-909a-391f985ebc7d', '127.0.0.1', 'd896985edd9d8f0b8bfb3243', 'script.create', 'done', NULL, '01a22d97-c4b3-75a1-931d-4dd14b30ae61', NULL, '{"kind": "module", "name": "prices", "sha256": "487ddaf292679ea2520e89d4e0f4d68dbd8055b9272007bf6d75ce5c287a7772", "sandbox": {}, "version": 1, "description": "", "execute_access": "open"}', 1, NULL, NULL);
INSERT INTO public.audit_log VALUES ('01a22d97-c873-75eb-b583-d5f553562188', NULL, '2026-11-30 17:54:11.667202+00', '01a22d97-05ab-7770-b6fc-385709010327', 'ada', '01a22d97-72e3-75ea-909a-391f985ebc7d', '127.0.0.1', 'c7beab7fbe481369483163ae', 'key.create', 'done', NULL, '01a22d97-c852-75b4-901a-3bf981db5541', NULL, '{"name": "ci", "app_id": null, "prefix": "yi6nojzj", "scopes": ["script:read", "script:write"], "user_id": "01a22d97-05ab-7770-b6fc-385709010327", "expires_at": null}', 1, NULL, NULL);
INSERT INTO public.audit_log VALUES ('01a22d97-f56b-731c-9887-bd02207e525c', '01a22d97-7673-7744-8c47-5dd2967457c0', '2026-11-30 17:54:23.155804+00', '01a22d97-05ab-7770-b6fc-385709010327', 'ada', '01a22d97-72e3-75ea-909a-391f985ebc7d', '127.0.0.1', 'c05ee4f6002bae57dd620e82', 'member.grant', 'done', NULL, '01a22d97-b96e-7718-b870-fdc00208d578', NULL, '{"role": "editor", "username": "grace"}', 1, NULL, NULL);
INSERT INTO public.audit_log VALUES ('01a22d98-16a2-7382-970b-c4f375de5698', '01a22d97-7673-7744-8c47-5dd2967457c0', '2026-11-30 17:54:31.691346+00', '01a22d97-05ab-7770-b6fc-385709010327', 'ada', '01a22d97-72e3-75ea-909a-391f985ebc7d', '127.0.0.1', '2c0b2f574fa6c447a8ff043a', 'script.update', 'done', NULL, '01a22d97-79ce-72dd-a6f5-e4b283454720', '{"kind": "endpoint", "name": "visits", "sha256": "cd5e46d84d4c13389276451f0b2422d529a5def74aee8add541a0f78ff48f952", "sandbox": {}, "version": 1, "description": "", "execute_access": "open"}', '{"kind": "endpoint", "name": "visits", "sha256": "e71ca51b95c888df71c4dd0ea7a45b788e86920fee160063e9f1393453e8df07", "sandbox": {}, "version": 2, "description": "", "execute_access": "open"}', 1, NULL, NULL);

INSERT INTO public.docs VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', 'orders', '01a22d97-cd4f-747c-a826-3eeef9f8c823', '{"n": 1, "who": "grace"}', DEFAULT, '2026-11-30 17:54:12.943399+00', '2026-11-30 17:54:12.943399+00');
INSERT INTO public.docs VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', 'orders', '01a22d97-cdbe-727e-aef3-bea21a1e5f22', '{"n": 1, "who": "grace"}', DEFAULT, '2026-11-30 17:54:13.054506+00', '2026-11-30 17:54:13.054506+00');
INSERT INTO public.docs VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', 'orders', '01a22d98-1758-760c-9973-ec0744ad42f7', '{"n": 3, "who": "grace", "items": [{"sku": "A"}]}', DEFAULT, '2026-11-30 17:54:31.896325+00', '2026-11-30 17:54:31.896325+00');
INSERT INTO public.docs VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', 'orders', '01a22d98-17aa-723c-b448-4a1bdd4b0093', '{"n": 4, "who": "grace", "items": [{"sku": "A"}]}', DEFAULT, '2026-11-30 17:54:31.979058+00', '2026-11-30 17:54:31.979058+00');
INSERT INTO public.docs VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', 'orders', '01a22d98-1842-7772-9597-3e745e2c2cb4', '{"n": 5, "who": "grace", "items": [{"sku": "A"}]}', DEFAULT, '2026-11-30 17:54:32.130921+00', '2026-11-30 17:54:32.130921+00');

INSERT INTO public.domains VALUES ('01a22d97-003a-7684-9634-87937cd33a35', '01a22d97-003f-72f4-88c4-30c802a1b36b', 'localhost', 'exact', '2026-11-30 17:53:20.431287+00');
INSERT INTO public.domains VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', '01a22d97-c005-77a1-a145-1d89462dfb4d', 'shop.example.com', 'exact', '2026-11-30 17:54:09.531737+00');

INSERT INTO public.execution_logs VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', '01a22d97-cd2b-7144-b673-4094a7e22a50', '01a22d97-79ce-72dd-a6f5-e4b283454720', 1, 'route', '236d1dcb8f7b09e23a58f156', '{"body": "", "path": "/visits", "query": {}, "method": "POST", "headers": {"host": "shop.example.com", "accept": "*/*", "user-agent": "curl/7.88.1"}, "body_size": 0}', 'ok', 200, '{"body": "\"01a22d97-cd4f-747c-a826-3eeef9f8c823\"", "headers": {"content-type": "application/json"}, "body_size": 38}', NULL, 'cold', 206169, 6, 1572864, 123.25088899979164, 120.20830300025409, '{"kv_set": 1, "docs_create": 1, "files_create": 1, "kv_increment": 1}', '[]', 0, '01a22d97-cd2b-7144-b673-4094a7e22a50', NULL, '2026-11-30 17:54:12.907331+00', '[]', 0);
INSERT INTO public.execution_logs VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', '01a22d97-cdb7-708e-9292-38c6bf48323c', '01a22d97-79ce-72dd-a6f5-e4b283454720', 1, 'route', '851913d4a4b2496d352eec42', '{"body": "", "path": "/visits", "query": {}, "method": "POST", "headers": {"host": "shop.example.com", "accept": "*/*", "user-agent": "curl/7.88.1"}, "body_size": 0}', 'ok', 200, '{"body": "\"01a22d97-cdbe-727e-aef3-bea21a1e5f22\"", "headers": {"content-type": "application/json"}, "body_size": 38}', NULL, 'cached', 206169, 6, 1572864, 50.807961999908, 49.6051940012876, '{"kv_set": 1, "docs_create": 1, "files_create": 1, "kv_increment": 1}', '[]', 0, '01a22d97-cdb7-708e-9292-38c6bf48323c', NULL, '2026-11-30 17:54:13.047768+00', '[]', 0);
INSERT INTO public.execution_logs VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', '01a22d98-173e-76ca-9155-56902c586b0b', '01a22d97-79ce-72dd-a6f5-e4b283454720', 2, 'route', '212db88d67baf3f3e47a2697', '{"body": "", "path": "/visits", "query": {}, "method": "POST", "headers": {"host": "shop.example.com", "accept": "*/*", "user-agent": "curl/7.88.1"}, "body_size": 0}', 'ok', 200, '{"body": "{\"limit\":5,\"n\":3,\"order\":{\"created_at\":\"2026-11-30T17:54:31.896Z\",\"data\":{\"items\":[{\"sku\":\"A\"}],\"n\":3,\"who\":\"grace\"},\"id\":\"01a22d98-1758-760c-9973-ec0744ad42f7\",\"updated_at\":\"2026-11-30T17:54:31.896Z\"}}", "headers": {"content-type": "application/json"}, "body_size": 202}', NULL, 'cold', 296408, 9, 1572864, 56.187948000115284, 50.29814399904353, '{"kv_set": 2, "log_write": 1, "docs_create": 1, "files_create": 1, "kv_increment": 1}', '[{"at": "2026-11-30T17:54:31.926+00:00", "data": {"n": 3}, "level": "info", "message": "visited"}]', 0, '01a22d98-173e-76ca-9155-56902c586b0b', NULL, '2026-11-30 17:54:31.870585+00', '[]', 0);
INSERT INTO public.execution_logs VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', '01a22d98-178b-7290-94fd-f3adac7d7a50', '01a22d97-79ce-72dd-a6f5-e4b283454720', 2, 'route', '9bb5563f56c9387cd3279067', '{"body": "", "path": "/visits", "query": {}, "method": "POST", "headers": {"host": "shop.example.com", "accept": "*/*", "user-agent": "curl/7.88.1"}, "body_size": 0}', 'ok', 200, '{"body": "{\"limit\":5,\"n\":4,\"order\":{\"created_at\":\"2026-11-30T17:54:31.979Z\",\"data\":{\"items\":[{\"sku\":\"A\"}],\"n\":4,\"who\":\"grace\"},\"id\":\"01a22d98-17aa-723c-b448-4a1bdd4b0093\",\"updated_at\":\"2026-11-30T17:54:31.979Z\"}}", "headers": {"content-type": "application/json"}, "body_size": 202}', NULL, 'cached', 296408, 9, 1572864, 59.77498999982345, 57.677092999256274, '{"kv_set": 2, "log_write": 1, "docs_create": 1, "files_create": 1, "kv_increment": 1}', '[{"at": "2026-11-30T17:54:32.006+00:00", "data": {"n": 4}, "level": "info", "message": "visited"}]', 0, '01a22d98-178b-7290-94fd-f3adac7d7a50', NULL, '2026-11-30 17:54:31.947215+00', '[]', 0);
INSERT INTO public.execution_logs VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', '01a22d98-17f6-76c5-9d1e-62b5ffdb9639', '01a22d97-79ce-72dd-a6f5-e4b283454720', 2, 'route', 'f96884ac1da55808b21e288a', '{"body": "", "path": "/visits", "query": {}, "method": "POST", "headers": {"host": "shop.example.com", "accept": "*/*", "user-agent": "curl/7.88.1"}, "body_size": 0}', 'ok', 200, '{"body": "{\"limit\":5,\"n\":5,\"order\":{\"created_at\":\"2026-11-30T17:54:32.130Z\",\"data\":{\"items\":[{\"sku\":\"A\"}],\"n\":5,\"who\":\"grace\"},\"id\":\"01a22d98-1842-7772-9597-3e745e2c2cb4\",\"updated_at\":\"2026-11-30T17:54:32.130Z\"}}", "headers": {"content-type": "application/json"}, "body_size": 202}', NULL, 'cached', 296408, 9, 1572864, 130.3757650002808, 128.5409549996075, '{"kv_set": 2, "log_write": 1, "docs_create": 1, "files_create": 1, "kv_increment": 1}', '[{"at": "2026-11-30T17:54:32.185+00:00", "data": {"n": 5}, "level": "info", "message": "visited"}]', 0, '01a22d98-17f6-76c5-9d1e-62b5ffdb9639', NULL, '2026-11-30 17:54:32.054987+00', '[]', 0);

INSERT INTO public.files VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', 'f', '01a22d97-cd91-7126-9769-8be2cd53dfb7', '3b280ce3-6bc1-4ee7-a25e-a223038fd26d', 'a.txt', 'text/plain', 5, '\x277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9', '{}', '2026-11-30 17:54:13.006264+00', '2026-11-30 17:54:13.006264+00');
INSERT INTO public.files VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', 'f', '01a22d97-cdd5-7170-a5b3-c9c0c3ca31b2', '6b8e57b6-af8c-468b-b679-fad154cbb278', 'a.txt', 'text/plain', 5, '\x277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9', '{}', '2026-11-30 17:54:13.076675+00', '2026-11-30 17:54:13.076675+00');
INSERT INTO public.files VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', 'pictures', '01a22d98-176f-748f-aff5-3a485ddc5160', '87701704-16c5-48af-93ab-2d9bf58b41d0', 'a.txt', 'text/plain', 9, '\xed589341c9fd5da96aaff4c5efa008226282a716186608d5a032ac75895a9c2f', '{}', '2026-11-30 17:54:31.91832+00', '2026-11-30 17:54:31.91832+00');
INSERT INTO public.files VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', 'pictures', '01a22d98-17bd-75d7-a4f1-8a282236bf92', '386d1be7-6abb-4c5c-97bf-0100fb9ab61a', 'a.txt', 'text/plain', 9, '\xed589341c9fd5da96aaff4c5efa008226282a716186608d5a032ac75895a9c2f', '{}', '2026-11-30 17:54:31.996352+00', '2026-11-30 17:54:31.996352+00');
INSERT INTO public.files VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', 'pictures', '01a22d98-1876-755a-9d19-6f30b95a7e8b', 'f593b0c3-3de5-4f5d-999b-76d268736297', 'a.txt', 'text/plain', 9, '\xed589341c9fd5da96aaff4c5efa008226282a716186608d5a032ac75895a9c2f', '{}', '2026-11-30 17:54:32.181921+00', '2026-11-30 17:54:32.181921+00');

INSERT INTO public.instance_settings VALUES ('seeded', 'true', '2026-11-30 17:53:20.431287+00');
INSERT INTO public.instance_settings VALUES ('files_store', '"f82b9378-3969-4d5b-b0ef-78f302481993"', '2026-11-30 17:53:20.390332+00');

INSERT INTO public.kv_entries VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', 's', 'k', '\x81a1619301cb4004000000000000a178', NULL, '2026-11-30 17:54:13.018954+00', '2026-11-30 17:54:13.086961+00');
INSERT INTO public.kv_entries VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', 'visits', 'n', '\x05', NULL, '2026-11-30 17:54:12.921901+00', '2026-11-30 17:54:32.055747+00');
INSERT INTO public.kv_entries VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', 'settings', 'deep', '\x82a46c6973749401cb4004000000000000a178c3a474657874a74772c3bcc39f65', NULL, '2026-11-30 17:54:31.890625+00', '2026-11-30 17:54:32.103104+00');
INSERT INTO public.kv_entries VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', 'settings', 'short', '\x01', '2126-12-10 00:00:00+00', '2026-11-30 17:54:31.89453+00', '2026-11-30 17:54:32.12677+00');

INSERT INTO public.login_attempts VALUES ('\x5cb01652e9d4c3a822628b8cb5cad545ebe438dfbcb8533942aea3079556bb53', 0, '2026-11-30 17:53:49.778749+00', '2026-11-30 17:53:49.330557+00');

INSERT INTO public.login_sources VALUES ('\x86600ed15a0446a62e52235e9a5c92054796013d09dcfdec48c9c487add980e6', '2026-11-30 17:53:49.767096+00');

INSERT INTO public.route_changes VALUES ('01a22d97-003a-7684-9634-87937cd33a35', 1, '01a22d97-0056-756a-9ef9-be67173c4ddf');
INSERT INTO public.route_changes VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', 1, '01a22d97-8064-74d3-8316-0741117144e8');

INSERT INTO public.routes VALUES ('01a22d97-003a-7684-9634-87937cd33a35', '01a22d97-0056-756a-9ef9-be67173c4ddf', '01a22d97-003a-7684-9634-8794ad952b67', 'GET', 'any', 'any', '/hello', 'exact', 'sync', '2026-11-30 17:53:20.431287+00', 'any', '', 'any exact /hello', '{}', '2026-11-30 17:53:20.431287+00');
INSERT INTO public.routes VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', '01a22d97-8064-74d3-8316-0741117144e8', '01a22d97-79ce-72dd-a6f5-e4b283454720', 'POST', 'any', 'any', '/visits', 'exact', 'sync', '2026-11-30 17:53:53.241033+00', 'any', '', 'any exact /visits', '{}', '2026-11-30 17:53:53.241033+00');

INSERT INTO public.schema_migrations VALUES (1, '0001_foundation.sql', '2e8ef851861cc76b1bcfd5804c66ac28f93519e3d4ebcdcefe8917f3a08e517b', '2026-11-30 17:53:19.669986+00');
INSERT INTO public.schema_migrations VALUES (2, '0002_identity.sql', '0d3acaa4ccca03480a7e9c6671b6cfa75a81f0b6bc80bf700c55f02c60b05380', '2026-11-30 17:53:19.819009+00');
INSERT INTO public.schema_migrations VALUES (3, '0003_routing.sql', 'b421c6da280db38f017bb2c804e87ff15182d5f003c60823ea11456c91524699', '2026-11-30 17:53:19.913954+00');
INSERT INTO public.schema_migrations VALUES (4, '0004_apps.sql', 'e2f963e0b45c91bece6728ade58f771328559803df4c38f738469d36f60b7007', '2026-11-30 17:53:19.952451+00');
INSERT INTO public.schema_migrations VALUES (5, '0005_docs.sql', '4e3de331db94ac5de25267aeb6be1e5de12edb01ca3a0d6317ef1852ca476857', '2026-11-30 17:53:19.990717+00');
INSERT INTO public.schema_migrations VALUES (6, '0006_files.sql', 'c23446ed00397f82ca24c69b08f9e21de22ba58d5e9697a860bde9d777164ed9', '2026-11-30 17:53:20.030622+00');
INSERT INTO public.schema_migrations VALUES (7, '0007_outbound.sql', '91bcd5f3e7867b1a776fc4aad9a9d9823b722c7a2e5135fa6dc640de3b5551dc', '2026-11-30 17:53:20.090535+00');
INSERT INTO public.schema_migrations VALUES (8, '0008_usage.sql', 'f272a15aa127680b3a583b752425788b92fbb7fe2ee7ece7c926229b781f6fdf', '2026-11-30 17:53:20.126386+00');
INSERT INTO public.schema_migrations VALUES (9, '0009_modules.sql', 'f507c8e6361dee5d0b814c48f8178acc40cfdd6c830e4baf2006a5a8abd04af8', '2026-11-30 17:53:20.170509+00');
INSERT INTO public.schema_migrations VALUES (10, '0010_login_sources.sql', 'd8f7a5d8eb9d1e88c92f56a19bf80d1e0da338040f47cfb9aa7fba888a4e0461', '2026-11-30 17:53:20.222452+00');
INSERT INTO public.schema_migrations VALUES (11, '0011_growth.sql', 'ea02d2b11cba215c12c4bbc4dbdc84a921c148a725fcfd63c1eb4b3224796efc', '2026-11-30 17:53:20.250541+00');
INSERT INTO public.schema_migrations VALUES (12, '0012_kept.sql', '263bbe8591796e06bc492f612630f6badef6d2532e9d53fbbb01b94635cbc1c4', '2026-11-30 17:53:20.266393+00');
INSERT INTO public.schema_migrations VALUES (13, '0013_docs_ranges.sql', '163fced179de91e4b75378524ae4211737ac5ee22216eac4ff280eb471082332', '2026-11-30 17:53:20.309909+00');

INSERT INTO public.script_imports VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', '01a22d97-79ce-72dd-a6f5-e4b283454720', 'prices');

INSERT INTO public.script_versions VALUES ('01a22d97-003a-7684-9634-87937cd33a35', '01a22d97-003a-7684-9634-8794ad952b67', 1, '// This script answers GET /hello. Every request runs it in a fresh WebAssembly sandbox:
// nothing is shared with other requests, and fuel, memory and time are bounded.
//
// Change it and save: the next request runs the new version.

fn greet(name) {
    `Hello, ${name}!`
}

// `ctx.request` has method, path, headers, query, params, rest and body. Try /hello?name=Ada.
let name = ctx.request.query.name ?? "world";

// A map becomes JSON; #{ statusCode, headers, body } would set them one by one.
#{
    message: greet(name),
    execution_id: ctx.execution_id,
}
', '{}', NULL, 'Made at the first start.', '2026-11-30 17:53:20.431287+00', 'endpoint', '\xd39547e3a4e9bfc1d0b96ca2f58320e3356183919192c6ab025c6a8c953d7e45', 568);
INSERT INTO public.script_versions VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', '01a22d97-79ce-72dd-a6f5-e4b283454720', 1, 'kv::collection("visits").increment("n", 1);
let d = docs::collection("orders"); let o = d.create(#{ n: 1, who: "grace" }); let f = files::collection("f"); f.create(#{ name: "a.txt", content_type: "text/plain", data: "bytes".to_blob() }); kv::collection("s").set("k", #{ a: [1, 2.5, "x"] }); o.id', '{}', '01a22d97-05ab-7770-b6fc-385709010327', '', '2026-11-30 17:53:51.566038+00', 'endpoint', '\xcd5e46d84d4c13389276451f0b2422d529a5def74aee8add541a0f78ff48f952', 295);
INSERT INTO public.script_versions VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', '01a22d97-c4b3-75a1-931d-4dd14b30ae61', 1, 'export const LIMIT = 5;
', '{}', '01a22d97-05ab-7770-b6fc-385709010327', '', '2026-11-30 17:54:10.739277+00', 'module', '\x487ddaf292679ea2520e89d4e0f4d68dbd8055b9272007bf6d75ce5c287a7772', 24);
INSERT INTO public.script_versions VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', '01a22d97-79ce-72dd-a6f5-e4b283454720', 2, 'import "prices" as p;
let visits = kv::collection("visits");
let n = visits.increment("n", 1);
kv::collection("settings").set("deep", #{ list: [1, 2.5, "x", true], text: "Grüße" });
kv::collection("settings").set("short", 1, #{ ttl_seconds: 864000 });
let order = docs::collection("orders").create(#{ n: n, who: "grace", items: [#{ sku: "A" }] });
let file = files::collection("pictures").create(#{ name: "a.txt", content_type: "text/plain", data: "the bytes".to_blob() });
log::info("visited", #{ n: n });
#{ n: n, limit: p::LIMIT, order: order }
', '{}', '01a22d97-05ab-7770-b6fc-385709010327', 'second version', '2026-11-30 17:54:31.691346+00', 'endpoint', '\xe71ca51b95c888df71c4dd0ea7a45b788e86920fee160063e9f1393453e8df07', 550);

INSERT INTO public.scripts VALUES ('01a22d97-003a-7684-9634-87937cd33a35', '01a22d97-003a-7684-9634-8794ad952b67', 'hello', 'endpoint', 'Says hello on GET /hello.', 1, '// This script answers GET /hello. Every request runs it in a fresh WebAssembly sandbox:
// nothing is shared with other requests, and fuel, memory and time are bounded.
//
// Change it and save: the next request runs the new version.

fn greet(name) {
    `Hello, ${name}!`
}

// `ctx.request` has method, path, headers, query, params, rest and body. Try /hello?name=Ada.
let name = ctx.request.query.name ?? "world";

// A map becomes JSON; #{ statusCode, headers, body } would set them one by one.
#{
    message: greet(name),
    execution_id: ctx.execution_id,
}
', '{}', 'open', '2026-11-30 17:53:20.431287+00', '2026-11-30 17:53:20.431287+00', 568);
INSERT INTO public.scripts VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', '01a22d97-c4b3-75a1-931d-4dd14b30ae61', 'prices', 'module', '', 1, 'export const LIMIT = 5;
', '{}', 'open', '2026-11-30 17:54:10.739277+00', '2026-11-30 17:54:10.739277+00', 24);
INSERT INTO public.scripts VALUES ('01a22d97-7673-7744-8c47-5dd2967457c0', '01a22d97-79ce-72dd-a6f5-e4b283454720', 'visits', 'endpoint', '', 2, 'import "prices" as p;
let visits = kv::collection("visits");
let n = visits.increment("n", 1);
kv::collection("settings").set("deep", #{ list: [1, 2.5, "x", true], text: "Grüße" });
kv::collection("settings").set("short", 1, #{ ttl_seconds: 864000 });
let order = docs::collection("orders").create(#{ n: n, who: "grace", items: [#{ sku: "A" }] });
let file = files::collection("pictures").create(#{ name: "a.txt", content_type: "text/plain", data: "the bytes".to_blob() });
log::info("visited", #{ n: n });
#{ n: n, limit: p::LIMIT, order: order }
', '{}', 'open', '2026-11-30 17:53:51.566038+00', '2026-11-30 17:54:31.691346+00', 845);

SELECT pg_catalog.setval('public.usage_deltas_id_seq', 14, true);

ALTER TABLE ONLY public.admin_sessions
    ADD CONSTRAINT admin_sessions_id_key UNIQUE (id);

ALTER TABLE ONLY public.admin_sessions
    ADD CONSTRAINT admin_sessions_pkey PRIMARY KEY (token_hash);

ALTER TABLE ONLY public.admin_users
    ADD CONSTRAINT admin_users_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_key_hash_key UNIQUE (key_hash);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.app_members
    ADD CONSTRAINT app_members_pkey PRIMARY KEY (app_id, user_id);

ALTER TABLE ONLY public.app_slug_history
    ADD CONSTRAINT app_slug_history_pkey PRIMARY KEY (app_id, slug);

ALTER TABLE ONLY public.app_slug_history
    ADD CONSTRAINT app_slug_history_slug_key UNIQUE (slug);

ALTER TABLE ONLY public.app_usage
    ADD CONSTRAINT app_usage_pkey PRIMARY KEY (app_id, store);

ALTER TABLE ONLY public.apps
    ADD CONSTRAINT apps_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.apps
    ADD CONSTRAINT apps_slug_key UNIQUE (slug);

ALTER TABLE ONLY public.audit_log
    ADD CONSTRAINT audit_log_fold_key UNIQUE (fold);

ALTER TABLE ONLY public.audit_log
    ADD CONSTRAINT audit_log_pkey PRIMARY KEY (id);

ALTER TABLE public.docs
    ADD CONSTRAINT docs_depth_check CHECK ((NOT jsonb_path_exists(data, 'strict $.**{127}?(@.type() == "object" || @.type() == "array")'::jsonpath))) NOT VALID;

ALTER TABLE public.docs
    ADD CONSTRAINT docs_json_check CHECK (((size <= 1048576) OR (public.docs_json_size(data) <= 1048576))) NOT VALID;

ALTER TABLE ONLY public.docs
    ADD CONSTRAINT docs_pkey PRIMARY KEY (app_id, collection, id);

ALTER TABLE ONLY public.domains
    ADD CONSTRAINT domains_pattern_key UNIQUE (pattern);

ALTER TABLE ONLY public.domains
    ADD CONSTRAINT domains_pkey PRIMARY KEY (app_id, id);

ALTER TABLE ONLY public.execution_logs
    ADD CONSTRAINT execution_logs_pkey PRIMARY KEY (app_id, id);

ALTER TABLE ONLY public.files
    ADD CONSTRAINT files_app_id_blob_key UNIQUE (app_id, blob);

ALTER TABLE ONLY public.files
    ADD CONSTRAINT files_pkey PRIMARY KEY (app_id, collection, id);

ALTER TABLE ONLY public.instance_settings
    ADD CONSTRAINT instance_settings_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.kv_entries
    ADD CONSTRAINT kv_entries_pkey PRIMARY KEY (app_id, collection, key);

ALTER TABLE ONLY public.login_attempts
    ADD CONSTRAINT login_attempts_pkey PRIMARY KEY (key);

ALTER TABLE ONLY public.login_sources
    ADD CONSTRAINT login_sources_pkey PRIMARY KEY (key);

ALTER TABLE ONLY public.route_changes
    ADD CONSTRAINT route_changes_pkey PRIMARY KEY (app_id, revision, route_id);

ALTER TABLE ONLY public.routes
    ADD CONSTRAINT routes_pkey PRIMARY KEY (app_id, id);

ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);

ALTER TABLE ONLY public.script_imports
    ADD CONSTRAINT script_imports_pkey PRIMARY KEY (app_id, script_id, name);

ALTER TABLE ONLY public.script_versions
    ADD CONSTRAINT script_versions_pkey PRIMARY KEY (app_id, script_id, version);

ALTER TABLE ONLY public.scripts
    ADD CONSTRAINT scripts_app_id_name_key UNIQUE (app_id, name);

ALTER TABLE ONLY public.scripts
    ADD CONSTRAINT scripts_pkey PRIMARY KEY (app_id, id);

ALTER TABLE ONLY public.setup_links
    ADD CONSTRAINT setup_links_pkey PRIMARY KEY (token_hash);

ALTER TABLE ONLY public.usage_deltas
    ADD CONSTRAINT usage_deltas_pkey PRIMARY KEY (app_id, id);

CREATE INDEX admin_sessions_user ON public.admin_sessions USING btree (user_id);

CREATE UNIQUE INDEX admin_users_email ON public.admin_users USING btree (lower(email));

CREATE UNIQUE INDEX admin_users_username ON public.admin_users USING btree (lower(username));

CREATE INDEX api_keys_app ON public.api_keys USING btree (app_id);

CREATE INDEX api_keys_prefix ON public.api_keys USING btree (prefix);

CREATE INDEX api_keys_user ON public.api_keys USING btree (user_id, id);

CREATE INDEX app_members_user ON public.app_members USING btree (user_id);

CREATE INDEX audit_log_app ON public.audit_log USING btree (app_id, id DESC);

CREATE INDEX audit_log_refused ON public.audit_log USING btree (user_id, id DESC) WHERE (outcome = 'refused'::text);

CREATE INDEX audit_log_user ON public.audit_log USING btree (user_id, id DESC);

CREATE INDEX docs_ordered ON public.docs USING gin (public.docs_ordered(app_id, collection, data));
ALTER INDEX public.docs_ordered ALTER COLUMN 1 SET STATISTICS 0;

CREATE INDEX docs_scope ON public.docs USING gin (public.docs_scoped(app_id, collection, data) jsonb_path_ops);

CREATE INDEX execution_logs_failed ON public.execution_logs USING btree (app_id, outcome, id DESC) WHERE (outcome <> 'ok'::text);

CREATE INDEX execution_logs_script ON public.execution_logs USING btree (app_id, script_id, id DESC);

CREATE INDEX kv_entries_expiry ON public.kv_entries USING btree (expires_at) WHERE (expires_at IS NOT NULL);

CREATE INDEX login_attempts_last ON public.login_attempts USING btree (last_at);

CREATE INDEX login_sources_last ON public.login_sources USING btree (last_at);

CREATE INDEX routes_script ON public.routes USING btree (app_id, script_id);

CREATE INDEX routes_shape ON public.routes USING btree (app_id, host_shape, shape);

CREATE INDEX routes_stem ON public.routes USING btree (app_id, md5(stem));

CREATE INDEX script_imports_name ON public.script_imports USING btree (app_id, name, script_id);

CREATE INDEX scripts_id ON public.scripts USING btree (id);

CREATE TRIGGER apps_cors_changed BEFORE UPDATE OF cors ON public.apps FOR EACH ROW WHEN ((old.cors IS DISTINCT FROM new.cors)) EXECUTE FUNCTION public.cors_changed();

CREATE TRIGGER docs_usage_delete AFTER DELETE ON public.docs REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION public.size_usage_removed();

CREATE TRIGGER docs_usage_insert AFTER INSERT ON public.docs FOR EACH ROW EXECUTE FUNCTION public.size_usage();

CREATE TRIGGER docs_usage_update AFTER UPDATE ON public.docs FOR EACH ROW WHEN ((new.size <> old.size)) EXECUTE FUNCTION public.size_usage();

CREATE TRIGGER files_usage_delete AFTER DELETE ON public.files REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION public.files_usage_removed();

CREATE TRIGGER files_usage_insert AFTER INSERT ON public.files FOR EACH ROW EXECUTE FUNCTION public.files_usage();

CREATE TRIGGER files_usage_update AFTER UPDATE ON public.files FOR EACH ROW WHEN ((public.files_kept(new.*) <> public.files_kept(old.*))) EXECUTE FUNCTION public.files_usage();

CREATE TRIGGER kv_usage_delete AFTER DELETE ON public.kv_entries REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION public.kv_usage_removed();

CREATE TRIGGER kv_usage_insert AFTER INSERT ON public.kv_entries FOR EACH ROW EXECUTE FUNCTION public.kv_usage();

CREATE TRIGGER kv_usage_update AFTER UPDATE ON public.kv_entries FOR EACH ROW WHEN ((octet_length(new.value) <> octet_length(old.value))) EXECUTE FUNCTION public.kv_usage();

CREATE TRIGGER routes_deleted AFTER DELETE ON public.routes REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.routes_changed();

CREATE TRIGGER routes_inserted AFTER INSERT ON public.routes REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.routes_changed();

CREATE TRIGGER routes_updated AFTER UPDATE ON public.routes REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.routes_changed();

ALTER TABLE ONLY public.admin_sessions
    ADD CONSTRAINT admin_sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.admin_users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_app_id_fkey FOREIGN KEY (app_id) REFERENCES public.apps(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.admin_users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.app_members
    ADD CONSTRAINT app_members_app_id_fkey FOREIGN KEY (app_id) REFERENCES public.apps(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.app_members
    ADD CONSTRAINT app_members_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.admin_users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.app_slug_history
    ADD CONSTRAINT app_slug_history_app_id_fkey FOREIGN KEY (app_id) REFERENCES public.apps(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.app_usage
    ADD CONSTRAINT app_usage_app_id_fkey FOREIGN KEY (app_id) REFERENCES public.apps(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.docs
    ADD CONSTRAINT docs_app_id_fkey FOREIGN KEY (app_id) REFERENCES public.apps(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.domains
    ADD CONSTRAINT domains_app_id_fkey FOREIGN KEY (app_id) REFERENCES public.apps(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.files
    ADD CONSTRAINT files_app_id_fkey FOREIGN KEY (app_id) REFERENCES public.apps(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.kv_entries
    ADD CONSTRAINT kv_entries_app_id_fkey FOREIGN KEY (app_id) REFERENCES public.apps(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.route_changes
    ADD CONSTRAINT route_changes_app_id_fkey FOREIGN KEY (app_id) REFERENCES public.apps(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.routes
    ADD CONSTRAINT routes_app_id_script_id_fkey FOREIGN KEY (app_id, script_id) REFERENCES public.scripts(app_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.script_imports
    ADD CONSTRAINT script_imports_app_id_script_id_fkey FOREIGN KEY (app_id, script_id) REFERENCES public.scripts(app_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.script_versions
    ADD CONSTRAINT script_versions_app_id_script_id_fkey FOREIGN KEY (app_id, script_id) REFERENCES public.scripts(app_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.scripts
    ADD CONSTRAINT scripts_app_id_fkey FOREIGN KEY (app_id) REFERENCES public.apps(id) ON DELETE CASCADE;

