-- name: app_insert
-- Create an app; the caller has reserved its slug.
INSERT INTO apps (id, slug, name, description) VALUES ($1, $2, $3, $4)
RETURNING id, slug, name, description, created_at, updated_at;

-- name: app_by_id
-- One app by id.
SELECT id, slug, name, description, created_at, updated_at FROM apps WHERE id = $1;

-- name: app_by_slug
-- One app by its current or a former slug.
SELECT id, slug, name, description, created_at, updated_at FROM apps
WHERE slug = $1 OR id = (SELECT app_id FROM app_slug_history WHERE slug = $1);

-- name: apps_list
-- A page of apps, oldest first; $1 is the last id of the page before, $3 the apps to choose from, null for all.
SELECT id, slug, name, description, created_at, updated_at FROM apps
WHERE ($1::uuid IS NULL OR id > $1) AND ($3::uuid[] IS NULL OR id = ANY ($3))
ORDER BY id LIMIT $2;

-- name: app_lock
-- Lock an app against other writers of it or its routes, but not against rows that refer to it.
SELECT id, slug, name, description, created_at, updated_at FROM apps WHERE id = $1 FOR NO KEY UPDATE;

-- name: app_lock_to_delete
-- Lock an app, also against rows that refer to it.
SELECT true FROM apps WHERE id = $1 FOR UPDATE;

-- name: app_update
-- Update the fields of an app that users set.
UPDATE apps SET slug = $2, name = $3, description = $4, updated_at = now() WHERE id = $1
RETURNING id, slug, name, description, created_at, updated_at;

-- name: slugs_lock
-- Lock slugs and former slugs on all nodes, to the end of the transaction.
SELECT pg_advisory_xact_lock(hashtext('picloud app slugs'));

-- name: slug_keep
-- Store a former slug of an app.
INSERT INTO app_slug_history (app_id, slug) VALUES ($1, $2);

-- name: slug_forget
-- Delete a former slug, when it is in use again.
DELETE FROM app_slug_history WHERE slug = $1;

-- name: app_contents
-- The number of objects of each kind in an app, without the data of services; executions are counted up to 10,000.
SELECT
    (SELECT count(*) FROM scripts WHERE app_id = $1) AS scripts,
    (SELECT count(*) FROM routes WHERE app_id = $1) AS routes,
    (SELECT count(*) FROM domains WHERE app_id = $1) AS domains,
    (SELECT count(*) FROM app_members WHERE app_id = $1) AS members,
    (SELECT count(*) FROM api_keys WHERE app_id = $1) AS api_keys,
    (SELECT count(*) FROM (SELECT FROM execution_logs WHERE app_id = $1 LIMIT 10000) AS counted) AS executions;

-- name: app_clear_usage
-- Delete the usage counts of a deleted app.
DELETE FROM usage_deltas WHERE app_id = $1;

-- name: app_clear_executions
-- Delete an app's executions.
DELETE FROM execution_logs WHERE app_id = $1;

-- name: app_delete
-- Delete an app and everything that refers to it.
DELETE FROM apps WHERE id = $1;

-- name: app_settings
-- The settings of an app.
SELECT cors, record_bodies, public_errors FROM apps WHERE id = $1;

-- name: app_settings_lock
-- The settings of an app, locked to the end of the transaction.
SELECT cors, record_bodies, public_errors FROM apps WHERE id = $1 FOR NO KEY UPDATE;

-- name: app_settings_update
-- Update the settings of an app.
UPDATE apps SET cors = $2, record_bodies = $3, public_errors = $4, updated_at = now() WHERE id = $1;
