-- name: keys_hold
-- Lock a user's row, so that their keys are counted and created one at a time.
SELECT FROM admin_users WHERE id = $1 FOR NO KEY UPDATE;

-- name: keys_count
-- The number of keys of a user, including expired ones.
SELECT count(*) FROM api_keys WHERE user_id = $1;

-- name: key_insert
-- Create a key for an active user whose key $9 or session $10 is still valid. The row is locked, so that a concurrent deactivation either prevents the key or revokes it.
WITH person AS (
    SELECT id FROM admin_users
    WHERE id = $2 AND is_active
      AND ($9::uuid IS NULL OR EXISTS (SELECT FROM api_keys WHERE id = $9))
      AND ($10::uuid IS NULL OR EXISTS (SELECT FROM admin_sessions WHERE id = $10))
    FOR SHARE
)
INSERT INTO api_keys (id, user_id, name, prefix, key_hash, scopes, app_id, expires_at)
SELECT $1, id, $3, $4, $5, $6, $7, $8 FROM person
RETURNING id, user_id, name, prefix, scopes, app_id, expires_at, created_at, last_used_at;

-- name: keys_list
-- A page of a user's keys, oldest first, including expired ones; only those within the grant $4 to $6 of another key, if $4 is not null.
SELECT id, user_id, name, prefix, scopes, app_id, expires_at, created_at, last_used_at
FROM api_keys
WHERE user_id = $1 AND ($2::uuid IS NULL OR id > $2)
  AND ($4::text[] IS NULL OR scopes <@ $4)
  AND ($5::uuid IS NULL OR app_id = $5)
  AND ($6::timestamptz IS NULL OR expires_at <= $6)
ORDER BY id
LIMIT $3;

-- name: key_held
-- A key and its user's role, locked to the end of the transaction.
SELECT k.id, k.user_id, k.name, k.prefix, k.scopes, k.app_id, k.expires_at, k.created_at, k.last_used_at, u.role
FROM api_keys k JOIN admin_users u ON u.id = k.user_id
WHERE k.id = $1
FOR UPDATE OF k FOR SHARE OF u;

-- name: key_delete
-- Revoke a key.
DELETE FROM api_keys WHERE id = $1;

-- name: keys_end_of_user
-- Revoke every key of a user.
DELETE FROM api_keys WHERE user_id = $1;

-- name: key_touch
-- Record the use of a key, at most once a minute for all workers.
UPDATE api_keys SET last_used_at = now()
WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute');
