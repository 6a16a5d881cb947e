-- name: session_open
-- Store a new session; $4 is its sliding and $5 its absolute life time.
INSERT INTO admin_sessions (token_hash, id, user_id, expires_at, ends_at)
VALUES ($1, $2, $3, now() + least($4::interval, $5::interval), now() + $5::interval)
RETURNING expires_at;

-- name: session_find
-- The active user behind a token that is still good.
SELECT s.id, s.expires_at, u.id AS user_id, u.username, u.role
FROM admin_sessions s JOIN admin_users u ON u.id = s.user_id
WHERE s.token_hash = $1 AND s.expires_at > now() AND u.is_active;

-- name: session_extend
-- Slide a session that is in use; never beyond its absolute end.
UPDATE admin_sessions SET expires_at = least(ends_at, now() + $2::interval) WHERE token_hash = $1;

-- name: session_end
-- End one session.
DELETE FROM admin_sessions WHERE token_hash = $1;

-- name: sessions_end_of_user
-- End every session of a user.
DELETE FROM admin_sessions WHERE user_id = $1;

-- name: sessions_sweep
-- Forget sessions that are over.
DELETE FROM admin_sessions WHERE expires_at <= now();
