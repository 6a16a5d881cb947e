-- name: audit_sweep
-- Forget the oldest entries before an id, some thousand at a time.
WITH old AS (SELECT id FROM audit_log WHERE id < $1 ORDER BY id LIMIT $2)
DELETE FROM audit_log USING old WHERE audit_log.id = old.id;

-- name: executions_sweep
-- Forget the oldest executions of every app before an id, some thousand of each at a time; by the primary key, whose first column is the app.
DELETE FROM execution_logs USING apps CROSS JOIN LATERAL (
    SELECT app_id, id FROM execution_logs WHERE app_id = apps.id AND id < $1 ORDER BY id LIMIT $2
) AS old
WHERE execution_logs.app_id = old.app_id AND execution_logs.id = old.id;

-- name: sessions_sweep
-- Forget sessions that are over.
DELETE FROM admin_sessions WHERE expires_at <= now();

-- name: keys_sweep
-- Forget keys that expired long ago.
DELETE FROM api_keys WHERE expires_at <= now() - $1::interval;

-- name: attempts_sweep
-- Forget log-in attempts that count no longer.
DELETE FROM login_attempts WHERE last_at < now() - $1::interval AND not_before <= now();

-- name: sources_sweep
-- Forget where accounts logged in from long ago.
DELETE FROM login_sources WHERE last_at <= now() - $1::interval;

-- name: setup_links_sweep
-- Forget setup links that are over.
DELETE FROM setup_links WHERE expires_at <= now();
