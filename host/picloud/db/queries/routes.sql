-- name: routes_lock
-- Lock an app's routes, domains and scripts against other writers, but not rows that refer to the app.
SELECT route_count FROM apps WHERE id = $1 FOR NO KEY UPDATE;

-- name: route_insert
-- Create a route; the caller has locked the app and checked for conflicts. $10 to $13 are from routing/conflict.py.
INSERT INTO routes (
    app_id, id, script_id, method, host, host_kind, path, path_kind, dispatch_mode, host_shape, shape, stem, tail
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
RETURNING id, app_id, script_id, method, host, host_kind, path, path_kind, dispatch_mode, created_at, updated_at;

-- name: route_update
-- Update a route; the caller has locked the app and checked for conflicts.
UPDATE routes
SET script_id = $3, method = $4, host = $5, host_kind = $6, path = $7, path_kind = $8, dispatch_mode = $9,
    host_shape = $10, shape = $11, stem = $12, tail = $13, updated_at = now()
WHERE app_id = $1 AND id = $2
RETURNING id, app_id, script_id, method, host, host_kind, path, path_kind, dispatch_mode, created_at, updated_at;

-- name: routes_conflicting
-- Routes with the stem ($2) and method ($3) of a new route whose tails no literal segment tells apart.
-- A tail starts with a parameter. The next positions nearly always decide, in a third of the time of the rest.
SELECT id, app_id, script_id, method, host, host_kind, path, path_kind, dispatch_mode, created_at, updated_at
FROM routes
WHERE app_id = $1 AND md5(stem) = md5($2) AND stem = $2 AND method IS NOT DISTINCT FROM $3
  AND id IS DISTINCT FROM $5
  AND (tail[2] <> ($4::text[])[2]) IS NOT TRUE AND (tail[3] <> ($4::text[])[3]) IS NOT TRUE
  AND (tail[4] <> ($4::text[])[4]) IS NOT TRUE
  AND NOT EXISTS (SELECT FROM unnest(tail, $4::text[]) AS pair (theirs, ours) WHERE theirs <> ours)
ORDER BY id;

-- name: route_shapes
-- The shapes of an app's routes on one host pattern, with one index lookup each.
WITH RECURSIVE known (shape) AS (
    (SELECT shape FROM routes WHERE app_id = $1 AND host_shape = $2 AND shape > '' ORDER BY shape LIMIT 1)
    UNION ALL
    SELECT (
        SELECT shape FROM routes
        WHERE app_id = $1 AND host_shape = $2 AND routes.shape > known.shape
        ORDER BY shape LIMIT 1
    )
    FROM known WHERE known.shape IS NOT NULL
)
SELECT shape FROM known WHERE shape IS NOT NULL;

-- name: route_find
-- One route of an app.
SELECT id, app_id, script_id, method, host, host_kind, path, path_kind, dispatch_mode, created_at, updated_at
FROM routes WHERE app_id = $1 AND id = $2;

-- name: routes_list
-- A page of an app's routes, oldest first.
SELECT id, app_id, script_id, method, host, host_kind, path, path_kind, dispatch_mode, created_at, updated_at
FROM routes
WHERE app_id = $1 AND ($2::uuid IS NULL OR id > $2)
ORDER BY id LIMIT $3;

-- name: routes_list_of_script
-- A page of the routes of a script, oldest first.
SELECT id, app_id, script_id, method, host, host_kind, path, path_kind, dispatch_mode, created_at, updated_at
FROM routes
WHERE app_id = $1 AND script_id = $4 AND ($2::uuid IS NULL OR id > $2)
ORDER BY id LIMIT $3;

-- name: routes_of_script
-- The routes of a script, at most 100.
SELECT id, method, path FROM routes WHERE app_id = $1 AND script_id = $2 ORDER BY id LIMIT 100;

-- name: route_delete
-- Delete a route of an app.
DELETE FROM routes WHERE app_id = $1 AND id = $2
RETURNING id, app_id, script_id, method, host, host_kind, path, path_kind, dispatch_mode, created_at, updated_at;

-- name: route_hosts
-- The hosts of an app's routes.
SELECT DISTINCT host_shape FROM routes WHERE app_id = $1 AND host_kind <> 'any';

-- name: routes_on_hosts
-- Routes on one of these hosts, at most 100.
SELECT id, method, host, path FROM routes WHERE app_id = $1 AND host_shape = ANY($2::text[]) ORDER BY id LIMIT 100;

-- name: routes_delete_on_hosts
-- Delete the routes on one of these hosts.
DELETE FROM routes WHERE app_id = $1 AND host_shape = ANY($2::text[]);

-- name: routing_revisions
-- The current revisions of these apps; a missing app was deleted.
SELECT id, routing_revision FROM apps WHERE id = ANY($1::uuid[]);

-- name: app_routing
-- An app's routing revision; read it before the routes, so that it is never newer than them.
SELECT routing_revision, cors FROM apps WHERE id = $1;

-- name: routes_of_app
-- Every route of an app, for the table in memory.
SELECT id, script_id, method, host, path FROM routes WHERE app_id = $1;

-- name: routes_changed_since
-- An app's routing revision, and at most $3 routes changed after revision $2; the path of a deleted route is null.
SELECT apps.routing_revision, apps.cors, changed.route_id,
       routes.script_id, routes.method, routes.host, routes.path
FROM apps
LEFT JOIN LATERAL (
    SELECT DISTINCT route_id FROM route_changes
    WHERE route_changes.app_id = apps.id AND route_changes.revision > $2 LIMIT $3
) AS changed ON true
LEFT JOIN routes ON routes.app_id = apps.id AND routes.id = changed.route_id
WHERE apps.id = $1;

-- name: script_has_route
-- Whether a route leads to a script.
SELECT EXISTS (SELECT FROM routes WHERE app_id = $1 AND script_id = $2);
