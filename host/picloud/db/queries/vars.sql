-- name: vars_of_app
-- The variables of an app and its revision, in one row per variable; one row without a name if there are none.
SELECT a.vars_revision AS revision, v.name, v.value
FROM apps a LEFT JOIN vars v ON v.app_id = a.id WHERE a.id = $1 ORDER BY v.name;

-- name: vars_revisions
-- The revisions of these apps; a missing app was deleted.
SELECT id, vars_revision AS revision FROM apps WHERE id = ANY($1::uuid[]);

-- name: vars_lock
-- Lock an app's variables for a write, and increase the revision, so that workers read them again.
UPDATE apps SET vars_revision = vars_revision + 1 WHERE id = $1 RETURNING vars_revision;

-- name: vars_list
-- A page of an app's variables, after the name $2.
SELECT name, value, created_at, updated_at FROM vars WHERE app_id = $1 AND name > $2 ORDER BY name LIMIT $3;

-- name: var_get
-- One variable.
SELECT name, value, created_at, updated_at FROM vars WHERE app_id = $1 AND name = $2;

-- name: var_set
-- Create a variable, or replace its value.
INSERT INTO vars (app_id, name, value) VALUES ($1, $2, $3)
ON CONFLICT (app_id, name) DO UPDATE SET value = excluded.value, updated_at = now()
RETURNING name, value, created_at, updated_at;

-- name: var_delete
-- Delete a variable and return its value.
DELETE FROM vars WHERE app_id = $1 AND name = $2 RETURNING value;

-- name: vars_count_of_app
-- The number of variables of an app.
SELECT count(*) FROM vars WHERE app_id = $1;

-- name: vars_bytes
-- The bytes of the values of an app's variables.
SELECT coalesce(sum(octet_length(value)), 0)::bigint FROM vars WHERE app_id = $1;

-- name: vars_clear_app
-- Delete an app's variables.
DELETE FROM vars WHERE app_id = $1;
