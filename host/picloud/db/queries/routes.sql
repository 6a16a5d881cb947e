-- name: route_insert
-- Make a route; the caller has locked the app and looked for a conflict.
INSERT INTO routes (app_id, id, script_id, method, host, host_kind, path, path_kind, dispatch_mode)
VALUES ($1, $2, $3, $4, $5, 'any', $6, 'exact', $7)
RETURNING id, app_id, script_id, method, host, host_kind, path, path_kind, dispatch_mode, created_at;

-- name: route_conflicting
-- The route that would match the same requests.
SELECT id, app_id, script_id, method, host, host_kind, path, path_kind, dispatch_mode, created_at FROM routes
WHERE app_id = $1 AND method IS NOT DISTINCT FROM $2 AND host = $3 AND path = $4;

-- name: routes_list
-- A page of an app's routes, oldest first.
SELECT id, app_id, script_id, method, host, host_kind, path, path_kind, dispatch_mode, created_at FROM routes
WHERE app_id = $1 AND ($2::uuid IS NULL OR id > $2)
ORDER BY id LIMIT $3;

-- name: routes_of_script
-- The routes a script answers; the first hundred are enough to say so.
SELECT id, method, path FROM routes WHERE app_id = $1 AND script_id = $2 ORDER BY id LIMIT 100;

-- name: route_delete
-- Delete a route of an app.
DELETE FROM routes WHERE app_id = $1 AND id = $2 RETURNING id;

-- name: routes_all
-- Every route of the instance, for the table in memory.
SELECT id, app_id, script_id, method, path FROM routes;
