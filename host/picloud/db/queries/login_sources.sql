-- name: source_keep
-- Record a log-in of an account from a network.
INSERT INTO login_sources (key, last_at) VALUES ($1, now())
ON CONFLICT (key) DO UPDATE SET last_at = excluded.last_at;

-- name: source_is_known
-- Whether an account logged in from a network within $2.
SELECT EXISTS (SELECT FROM login_sources WHERE key = $1 AND last_at > now() - $2::interval);
