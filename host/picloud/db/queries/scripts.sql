-- name: script_insert
-- Create a script at version 1; the unique constraint rejects a name in use.
INSERT INTO scripts (app_id, id, name, kind, description, version, source, sandbox, execute_access, record_bodies)
VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8, $9)
RETURNING id, app_id, name, kind, description, version, source, sandbox, execute_access, record_bodies, created_at, updated_at;

-- name: script_version_insert
-- Store a version and count it.
WITH kept AS (
    INSERT INTO script_versions (app_id, script_id, version, kind, source, sandbox, author_id, message, sha256, size)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, sha256(convert_to($5, 'UTF8')), octet_length($5))
    RETURNING size
)
UPDATE scripts SET kept_bytes = kept_bytes + kept.size FROM kept WHERE app_id = $1 AND id = $2;

-- name: script_versions_list
-- A page of a script's versions without their sources, newest first; $3 is the last version of the page before.
SELECT v.version, v.kind, v.sandbox, v.author_id, u.username, v.message, encode(v.sha256, 'hex') AS sha256, v.size,
       v.created_at
FROM script_versions v LEFT JOIN admin_users u ON u.id = v.author_id
WHERE v.app_id = $1 AND v.script_id = $2 AND ($3::integer IS NULL OR v.version < $3)
ORDER BY v.version DESC LIMIT $4;

-- name: script_version_find
-- One version of a script, with its source.
SELECT v.version, v.kind, v.sandbox, v.author_id, u.username, v.message, encode(v.sha256, 'hex') AS sha256, v.size,
       v.created_at, v.source
FROM script_versions v LEFT JOIN admin_users u ON u.id = v.author_id
WHERE v.app_id = $1 AND v.script_id = $2 AND v.version = $3;

-- name: script_revisions
-- The revisions of these apps; a missing app was deleted.
SELECT id, script_revision AS revision FROM apps WHERE id = ANY($1::uuid[]);

-- name: script_find
-- One script by its id alone; the caller authorises for the app it finds.
SELECT id, app_id, name, kind, description, version, source, sandbox, execute_access, record_bodies, created_at, updated_at
FROM scripts WHERE id = $1;

-- name: script_lock
-- One script of an app, locked to the end of the transaction; FOR SHARE prevents a change of its kind.
SELECT kind FROM scripts WHERE app_id = $1 AND id = $2 FOR SHARE;

-- name: script_lock_to_delete
-- The same, also locked against new routes to it.
SELECT kind, name FROM scripts WHERE app_id = $1 AND id = $2 FOR UPDATE;

-- name: scripts_list
-- A page of an app's scripts without their sources, oldest first.
SELECT id, app_id, name, kind, description, version, sandbox, execute_access, record_bodies, created_at, updated_at
FROM scripts WHERE app_id = $1 AND ($2::uuid IS NULL OR id > $2)
ORDER BY id LIMIT $3;

-- name: script_update
-- Save the next version, unless version $3 is no longer the latest.
UPDATE scripts
SET name = $4, kind = $5, description = $6, source = $7, sandbox = $8, execute_access = $9, record_bodies = $10,
    version = version + 1, updated_at = now()
WHERE app_id = $1 AND id = $2 AND version = $3
RETURNING id, app_id, name, kind, description, version, source, sandbox, execute_access, record_bodies, created_at, updated_at;

-- name: script_delete
-- Delete a script with its versions and routes.
DELETE FROM scripts WHERE app_id = $1 AND id = $2;
