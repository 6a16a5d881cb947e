-- name: file_create
-- Insert a file whose blob is in the store; returns its entry.
INSERT INTO files AS file (app_id, collection, id, blob, name, content_type, size, sha256, metadata)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::json)
RETURNING files_entry(file);

-- name: file_find
-- The row of one file.
SELECT app_id, collection, id, blob, name, content_type, size, sha256, metadata, created_at, updated_at,
    files_entry(file) AS entry
FROM files file WHERE app_id = $1 AND collection = $2 AND id = $3;

-- name: file_lock
-- The blob and the entry of one file, locked to the end of the transaction.
SELECT blob, files_entry(file) AS entry FROM files file WHERE app_id = $1 AND collection = $2 AND id = $3 FOR UPDATE;

-- name: file_update
-- Update the fields that are not null; returns the entry.
UPDATE files file SET
    name = coalesce($4, name),
    content_type = coalesce($5, content_type),
    metadata = coalesce($6::text::json, metadata),
    blob = coalesce($7, blob),
    size = coalesce($8, size),
    sha256 = coalesce($9, sha256),
    updated_at = now()
WHERE app_id = $1 AND collection = $2 AND id = $3
RETURNING files_entry(file);

-- name: file_delete
-- Delete a file; returns its row.
DELETE FROM files file WHERE app_id = $1 AND collection = $2 AND id = $3
RETURNING app_id, collection, id, blob, name, content_type, size, sha256, metadata, created_at, updated_at,
    files_entry(file) AS entry;

-- name: files_list
-- Entries in the order of their ids after $3, at most $4, up to the one that exceeds $5 bytes.
SELECT id, entry, asked FROM (
    SELECT id, entry, count(*) OVER () AS asked, sum(octet_length(entry)) OVER (ORDER BY id) AS total
    FROM (
        SELECT id, files_entry(file) AS entry FROM files file
        WHERE app_id = $1 AND collection = $2 AND ($3::uuid IS NULL OR id > $3)
        ORDER BY id LIMIT $4
    ) AS page
) AS counted
WHERE total - octet_length(entry) <= $5
ORDER BY id;

-- name: files_page
-- Rows of files in the order of their ids after $3, at most $4.
SELECT app_id, collection, id, blob, name, content_type, size, sha256, metadata, created_at, updated_at,
    files_entry(file) AS entry
FROM files file WHERE app_id = $1 AND collection = $2 AND ($3::uuid IS NULL OR id > $3)
ORDER BY id LIMIT $4;

-- name: file_collections
-- The collections of an app by name after $2, at most $3: with the number of files and bytes, counted up to $4.
-- Jumps from name to name in the index, without reading the files between.
WITH RECURSIVE names (name, place) AS (
    (SELECT collection, 1 FROM files WHERE app_id = $1 AND collection > $2 ORDER BY collection LIMIT 1)
    UNION ALL
    SELECT (
        SELECT collection FROM files WHERE app_id = $1 AND collection > names.name ORDER BY collection LIMIT 1
    ), place + 1
    FROM names WHERE name IS NOT NULL AND place < $3
)
SELECT name, files, bytes, more FROM names, LATERAL (
    SELECT count(*) FILTER (WHERE place <= $4) AS files, sum(size) FILTER (WHERE place <= $4)::bigint AS bytes,
        count(*) > $4 AS more
    FROM (
        SELECT size, row_number() OVER (ORDER BY id) AS place FROM files
        WHERE app_id = $1 AND collection = names.name ORDER BY id LIMIT $4 + 1
    ) AS first
) AS counted
WHERE name IS NOT NULL ORDER BY name;

-- name: blob_hold
-- Lock a blob against the sweep, until the transaction that refers to it ends.
SELECT pg_advisory_xact_lock_shared(hashtext('picloud blob'), hashtext($1::uuid::text));

-- name: blob_claim
-- Lock a blob against transactions that refer to it, until this one ends; false if one holds the lock.
SELECT pg_try_advisory_xact_lock(hashtext('picloud blob'), hashtext($1::uuid::text));

-- name: blobs_named
-- The blobs of $2 that belong to a file of an app.
SELECT blob FROM files WHERE app_id = $1 AND blob = ANY($2::uuid[]);

-- name: app_there
-- Whether an app exists.
SELECT true FROM apps WHERE id = $1;

-- name: sweep_turn
-- The lock of the sweep, until the transaction ends; false if another node has it.
SELECT pg_try_advisory_xact_lock(hashtextextended('picloud files sweep', 0));

-- name: store_owner
-- The name of this instance in its store; $1 if it has none yet.
INSERT INTO instance_settings (name, value) VALUES ('files_store', to_jsonb($1::text))
ON CONFLICT (name) DO UPDATE SET value = instance_settings.value
RETURNING value #>> '{}';

-- name: files_sample
-- Some files of the instance.
SELECT app_id, blob AS id FROM files LIMIT $1;

-- name: files_after
-- Files of the instance by app and blob, after the last one of the previous batch.
SELECT app_id, blob AS id FROM files
WHERE $1::uuid IS NULL OR (app_id, blob) > ($1, $2::uuid)
ORDER BY app_id, blob LIMIT $3;

-- name: files_delete_of_blobs
-- Delete the files of an app whose bytes are missing; returns one row for each.
DELETE FROM files WHERE app_id = $1 AND blob = ANY($2::uuid[]) RETURNING blob;

-- name: files_count_of_app
-- The number of files of an app, counted up to 10,000.
SELECT count(*) FROM (SELECT FROM files WHERE app_id = $1 LIMIT 10000) AS counted;

-- name: files_clear_app
-- Delete an app's files; the sweep removes their bytes.
DELETE FROM files WHERE app_id = $1;
