-- name: kv_get
-- The value of a key that has not expired.
SELECT value FROM kv_entries
WHERE app_id = $1 AND collection = $2 AND key = $3 AND (expires_at IS NULL OR expires_at > now());

-- name: kv_lock
-- The value of a key and whether it is live, locked to the end of the transaction.
SELECT value, (expires_at IS NULL OR expires_at > now()) AS live FROM kv_entries
WHERE app_id = $1 AND collection = $2 AND key = $3
FOR UPDATE;

-- name: kv_set
-- Write a value that expires after $5 seconds, or never if $5 is null.
INSERT INTO kv_entries (app_id, collection, key, value, expires_at)
VALUES ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5))
ON CONFLICT (app_id, collection, key) DO UPDATE
SET value = excluded.value, expires_at = excluded.expires_at, updated_at = now();

-- name: kv_add
-- Insert a value, with the expiry of kv_replace, if there is no row; returns whether it did.
INSERT INTO kv_entries (app_id, collection, key, value, expires_at)
VALUES ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5))
ON CONFLICT (app_id, collection, key) DO NOTHING
RETURNING true;

-- name: kv_replace
-- Update a locked row. It expires $5 seconds after the update, not after the start of the wait for the lock;
-- if $5 is null, the expiry stays, and an expired entry becomes permanent.
UPDATE kv_entries
SET value = $4, updated_at = now(),
    expires_at = coalesce(
        clock_timestamp() + make_interval(secs => $5),
        CASE WHEN expires_at > now() THEN expires_at END
    )
WHERE app_id = $1 AND collection = $2 AND key = $3;

-- name: kv_has
-- Whether a key exists and has not expired.
SELECT EXISTS (
    SELECT FROM kv_entries
    WHERE app_id = $1 AND collection = $2 AND key = $3 AND (expires_at IS NULL OR expires_at > now())
);

-- name: kv_delete
-- Delete a key; returns whether it was live, the size of its value, and with $4 the value.
DELETE FROM kv_entries
WHERE app_id = $1 AND collection = $2 AND key = $3
RETURNING (expires_at IS NULL OR expires_at > now()) AS live, octet_length(value) AS size,
    CASE WHEN $4 THEN value END AS value;

-- name: kv_ttl
-- Seconds until a live key expires, rounded up.
SELECT ceil(extract(epoch FROM expires_at - now()))::bigint FROM kv_entries
WHERE app_id = $1 AND collection = $2 AND key = $3 AND expires_at > now();

-- name: kv_list
-- Keys after $3 in byte order, at most $4; ends before the key (other than the first) with which keys exceed $5 bytes.
-- Returns for each whether more follow.
SELECT key, place < found AS more FROM (
    SELECT key, row_number() OVER by_key AS place, count(*) OVER () AS found,
        sum(octet_length(key)) OVER by_key AS bytes
    FROM (
        SELECT key FROM kv_entries
        WHERE app_id = $1 AND collection = $2 AND key > $3 AND (expires_at IS NULL OR expires_at > now())
        ORDER BY key
        LIMIT $4 + 1
    ) AS page
    WINDOW by_key AS (ORDER BY key)
) AS measured
WHERE place <= $4 AND (place = 1 OR bytes <= $5)
ORDER BY key;

-- name: kv_entries
-- Entries after $3 in byte order, at most $4; ends before the entry (other than the first) with which
-- keys and values exceed $5 bytes. Returns for each whether more follow.
WITH page AS (
    SELECT key, value FROM kv_entries
    WHERE app_id = $1 AND collection = $2 AND key > $3 AND (expires_at IS NULL OR expires_at > now())
    ORDER BY key
    LIMIT $4 + 1
), measured AS (
    SELECT key, value, row_number() OVER by_key AS place, count(*) OVER () AS found,
        sum(octet_length(key) + octet_length(value)) OVER by_key AS bytes
    FROM page WINDOW by_key AS (ORDER BY key)
)
SELECT key, value, place < found AS more FROM measured
WHERE place <= $4 AND (place = 1 OR bytes <= $5)
ORDER BY key;

-- name: kv_delete_expired
-- Delete at most $1 expired entries that no other transaction has locked.
WITH expired AS (
    SELECT app_id, collection, key FROM kv_entries WHERE expires_at <= now()
    ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
DELETE FROM kv_entries entry USING expired
WHERE entry.app_id = expired.app_id AND entry.collection = expired.collection AND entry.key = expired.key;

-- name: kv_collections
-- The collections of an app by name after $2, at most $3: with the number of entries and bytes, counted up to $4.
-- Jumps from name to name in the index, without reading the entries between.
WITH RECURSIVE names (name, place) AS (
    (
        SELECT collection, 1 FROM kv_entries
        WHERE app_id = $1 AND collection > $2 AND (expires_at IS NULL OR expires_at > now())
        ORDER BY collection LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT collection FROM kv_entries
        WHERE app_id = $1 AND collection > names.name AND (expires_at IS NULL OR expires_at > now())
        ORDER BY collection LIMIT 1
    ), place + 1
    FROM names WHERE name IS NOT NULL AND place < $3
)
SELECT name, entries, bytes, more FROM names, LATERAL (
    SELECT count(*) FILTER (WHERE place <= $4) AS entries, sum(size) FILTER (WHERE place <= $4)::bigint AS bytes,
        count(*) > $4 AS more
    FROM (
        SELECT octet_length(key) + octet_length(value) AS size, row_number() OVER (ORDER BY key) AS place
        FROM kv_entries
        WHERE app_id = $1 AND collection = names.name AND (expires_at IS NULL OR expires_at > now())
        ORDER BY key LIMIT $4 + 1
    ) AS first
) AS counted
WHERE name IS NOT NULL ORDER BY name;

-- name: kv_keys
-- Keys after $3, from $4 and before $5, at most $6, without values.
SELECT key AS name, key, octet_length(value) AS size, expires_at, created_at, updated_at FROM kv_entries
WHERE app_id = $1 AND collection = $2 AND key > $3 AND key >= $4 AND key < $5
    AND (expires_at IS NULL OR expires_at > now())
ORDER BY key LIMIT $6;

-- name: kv_any
-- Whether a collection has an entry.
SELECT EXISTS (
    SELECT FROM kv_entries
    WHERE app_id = $1 AND collection = $2 AND (expires_at IS NULL OR expires_at > now())
);

-- name: kv_entry
-- A live entry.
SELECT collection, key, value, expires_at, created_at, updated_at FROM kv_entries
WHERE app_id = $1 AND collection = $2 AND key = $3 AND (expires_at IS NULL OR expires_at > now());

-- name: kv_count_of_app
-- The number of entries of an app, counted up to 10,000.
SELECT count(*) FROM (SELECT FROM kv_entries WHERE app_id = $1 LIMIT 10000) AS counted;

-- name: kv_clear_app
-- Delete an app's entries.
DELETE FROM kv_entries WHERE app_id = $1;
