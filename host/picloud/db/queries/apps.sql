-- name: app_insert
-- Make an app; the unique index refuses a taken slug.
INSERT INTO apps (id, slug, name, description) VALUES ($1, $2, $3, $4)
RETURNING id, slug, name, description, created_at, updated_at;

-- name: app_by_id
-- One app by id.
SELECT id, slug, name, description, created_at, updated_at FROM apps WHERE id = $1;

-- name: app_by_slug
-- One app by slug.
SELECT id, slug, name, description, created_at, updated_at FROM apps WHERE slug = $1;

-- name: apps_list
-- A page of apps, oldest first; $1 is the last id of the page before.
SELECT id, slug, name, description, created_at, updated_at FROM apps
WHERE $1::uuid IS NULL OR id > $1
ORDER BY id LIMIT $2;

-- name: app_lock
-- One writer of an app's routes at a time; does not disturb rows that refer to the app.
SELECT FROM apps WHERE id = $1 FOR NO KEY UPDATE;
