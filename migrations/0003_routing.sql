-- Routing: patterns of every kind, CORS, and what tells a worker which routes have changed.

-- The revision grows with every change of an app's routes or CORS settings. The row of the app is locked by the
-- change, so of one app the order of revisions is the order of commits.
ALTER TABLE apps
    ADD COLUMN cors             jsonb,
    ADD COLUMN routing_revision bigint NOT NULL DEFAULT 0,
    ADD COLUMN route_count      integer NOT NULL DEFAULT 0;
UPDATE apps SET route_count = (SELECT count(*) FROM routes WHERE app_id = apps.id);

-- Characters with a meaning in a pattern are percent-encoded where they are literal.
UPDATE routes SET path = replace(replace(replace(replace(path, ':', '%3A'), '*', '%2A'), '{', '%7B'), '}', '%7D');

-- What conflicts are looked for by (see routing/conflict.py). A stem may be longer than an index takes.
-- The defaults are those of the routes that were possible before: of any host, with an exact path.
ALTER TABLE routes
    ADD COLUMN host_shape text NOT NULL DEFAULT 'any',
    ADD COLUMN shape      text NOT NULL DEFAULT '',
    ADD COLUMN stem       text NOT NULL DEFAULT '',
    ADD COLUMN tail       text[] NOT NULL DEFAULT '{}',
    ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();
UPDATE routes SET stem = 'any exact ' || path, updated_at = created_at;
CREATE INDEX routes_stem ON routes (app_id, md5(stem));
CREATE INDEX routes_shape ON routes (app_id, host_shape, shape);

-- Which routes a revision changed, so that a worker need not read all of them again.
CREATE TABLE route_changes (
    app_id   uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
    revision bigint NOT NULL,
    route_id uuid NOT NULL,
    PRIMARY KEY (app_id, revision, route_id)
);

-- A trigger, because routes also go with their script. The last thousand revisions are kept.
CREATE FUNCTION routes_changed() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER routes_inserted AFTER INSERT ON routes
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION routes_changed();
CREATE TRIGGER routes_updated AFTER UPDATE ON routes
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION routes_changed();
CREATE TRIGGER routes_deleted AFTER DELETE ON routes
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION routes_changed();

CREATE FUNCTION cors_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.routing_revision := NEW.routing_revision + 1;
    RETURN NEW;
END $$;
CREATE TRIGGER apps_cors_changed BEFORE UPDATE OF cors ON apps
    FOR EACH ROW WHEN (OLD.cors IS DISTINCT FROM NEW.cors) EXECUTE FUNCTION cors_changed();
