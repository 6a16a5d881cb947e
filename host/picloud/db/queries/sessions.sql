-- name: session_open
-- Open a session for an active user whose password hash, if $8 is given, is unchanged. The update locks the user's row, so that a concurrent password change or deactivation either prevents the session or ends it.
WITH person AS (
    UPDATE admin_users SET last_login_at = now()
    WHERE id = $3 AND is_active AND ($8::text IS NULL OR password_hash = $8)
    RETURNING id
)
INSERT INTO admin_sessions (token_hash, id, user_id, expires_at, ends_at, address, user_agent)
SELECT $1, $2, id, now() + least($4::interval, $5::interval), now() + $5::interval, $6, $7 FROM person
RETURNING expires_at;

-- name: sessions_count
-- The number of stored sessions of a user.
SELECT count(*) FROM admin_sessions WHERE user_id = $1;

-- name: sessions_end_excess
-- End the sessions of a user above $2, at most 1,000 at once: expired ones first, then the least recently used.
WITH beyond AS (
    SELECT id FROM admin_sessions WHERE user_id = $1
    ORDER BY expires_at > now() DESC, last_seen_at DESC, id DESC
    OFFSET $2
    LIMIT 1000
)
DELETE FROM admin_sessions USING beyond WHERE admin_sessions.id = beyond.id
RETURNING admin_sessions.id;

-- name: session_touch
-- Record the use of a session and extend it, up to its maximum lifetime.
UPDATE admin_sessions
SET last_seen_at = now(), expires_at = least(ends_at, now() + $2::interval)
WHERE id = $1;

-- name: sessions_list
-- A page of a user's active sessions, oldest first.
SELECT id, created_at, last_seen_at, expires_at, address, user_agent
FROM admin_sessions
WHERE user_id = $1 AND expires_at > now() AND ($2::uuid IS NULL OR id > $2)
ORDER BY id
LIMIT $3;

-- name: session_end
-- End one session of a user.
DELETE FROM admin_sessions WHERE user_id = $1 AND id = $2 RETURNING id;

-- name: sessions_end_of_user
-- End every session of a user except $2, or all when $2 is null.
DELETE FROM admin_sessions WHERE user_id = $1 AND id IS DISTINCT FROM $2::uuid;
