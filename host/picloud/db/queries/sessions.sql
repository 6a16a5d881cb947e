-- name: session_open
-- Start a session of an active user whose password, where $8 gives one, is still that. The update holds the user's row, so that a change of password or a deactivation at the same time either refuses this or ends it.
WITH person AS (
    UPDATE admin_users SET last_login_at = now()
    WHERE id = $3 AND is_active AND ($8::text IS NULL OR password_hash = $8)
    RETURNING id
)
INSERT INTO admin_sessions (token_hash, id, user_id, expires_at, ends_at, address, user_agent)
SELECT $1, $2, id, now() + least($4::interval, $5::interval), now() + $5::interval, $6, $7 FROM person
RETURNING expires_at;

-- name: sessions_count
-- How many sessions of a user are kept.
SELECT count(*) FROM admin_sessions WHERE user_id = $1;

-- name: sessions_end_beyond
-- End the sessions of a user beyond $2 of them, at most 1,000 at once: those that are over first, then those seen longest ago.
WITH beyond AS (
    SELECT id FROM admin_sessions WHERE user_id = $1
    ORDER BY expires_at > now() DESC, last_seen_at DESC, id DESC
    OFFSET $2
    LIMIT 1000
)
DELETE FROM admin_sessions USING beyond WHERE admin_sessions.id = beyond.id
RETURNING admin_sessions.id;

-- name: session_touch
-- Note that a session is in use and let it live on; never beyond its absolute end.
UPDATE admin_sessions
SET last_seen_at = now(), expires_at = least(ends_at, now() + $2::interval)
WHERE id = $1;

-- name: sessions_list
-- A page of a user's sessions that are not over, oldest first.
SELECT id, created_at, last_seen_at, expires_at, address, user_agent
FROM admin_sessions
WHERE user_id = $1 AND expires_at > now() AND ($2::uuid IS NULL OR id > $2)
ORDER BY id
LIMIT $3;

-- name: session_end
-- End one session of a user.
DELETE FROM admin_sessions WHERE user_id = $1 AND id = $2 RETURNING id;

-- name: sessions_end_of_user
-- End every session of a user but one, or all where $2 is null.
DELETE FROM admin_sessions WHERE user_id = $1 AND id IS DISTINCT FROM $2::uuid;
