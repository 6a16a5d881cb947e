-- name: principal_of_session
-- The active user of a valid session; $2 is its lifetime after the last use.
SELECT s.id, u.id AS user_id, u.username, u.role,
       extract(epoch FROM s.expires_at - now())::float8 AS seconds_left,
       s.last_seen_at < now() - least(interval '1 minute', $2::interval / 4) AS is_stale,
       CASE WHEN u.role = 'member' THEN
           (SELECT jsonb_object_agg(m.app_id, m.role) FROM app_members m WHERE m.user_id = u.id)
       END AS memberships
FROM admin_sessions s JOIN admin_users u ON u.id = s.user_id
WHERE s.token_hash = $1 AND s.expires_at > now() AND u.is_active;

-- name: principal_of_user
-- One active user by id.
SELECT u.id AS user_id, u.username, u.role,
       CASE WHEN u.role = 'member' THEN
           (SELECT jsonb_object_agg(m.app_id, m.role) FROM app_members m WHERE m.user_id = u.id)
       END AS memberships
FROM admin_users u
WHERE u.id = $1 AND u.is_active;

-- name: principals_of_keys
-- The active users of the valid keys with a prefix.
SELECT k.id, k.key_hash, k.scopes, k.app_id, k.expires_at, u.id AS user_id, u.username, u.role,
       extract(epoch FROM k.expires_at - now())::float8 AS seconds_left,
       k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 minute' AS is_stale,
       CASE WHEN u.role = 'member' THEN
           (SELECT jsonb_object_agg(m.app_id, m.role) FROM app_members m WHERE m.user_id = u.id)
       END AS memberships
FROM api_keys k JOIN admin_users u ON u.id = k.user_id
WHERE k.prefix = $1 AND (k.expires_at IS NULL OR k.expires_at > now()) AND u.is_active;
