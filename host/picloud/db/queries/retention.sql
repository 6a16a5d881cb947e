-- name: sessions_delete_expired
-- Delete at most $1 expired sessions.
WITH expired AS (SELECT token_hash FROM admin_sessions WHERE expires_at <= now() LIMIT $1)
DELETE FROM admin_sessions USING expired WHERE admin_sessions.token_hash = expired.token_hash;

-- name: setup_links_delete_expired
-- Delete at most $1 expired setup links.
WITH expired AS (SELECT token_hash FROM setup_links WHERE expires_at <= now() LIMIT $1)
DELETE FROM setup_links USING expired WHERE setup_links.token_hash = expired.token_hash;

-- name: keys_delete_expired
-- Delete at most $2 keys that expired more than $1 ago.
WITH expired AS (SELECT id FROM api_keys WHERE expires_at <= now() - $1::interval LIMIT $2)
DELETE FROM api_keys USING expired WHERE api_keys.id = expired.id;

-- name: login_attempts_delete_old
-- Delete at most $2 counts of log-in attempts without an attempt for $1 and without an active wait.
WITH old AS (
    SELECT key FROM login_attempts WHERE last_at < now() - $1::interval AND not_before <= now() LIMIT $2
)
DELETE FROM login_attempts USING old
WHERE login_attempts.key = old.key AND last_at < now() - $1::interval AND not_before <= now();

-- name: login_sources_delete_old
-- Delete at most $2 log-in networks last used more than $1 ago.
WITH old AS (SELECT key FROM login_sources WHERE last_at <= now() - $1::interval LIMIT $2)
DELETE FROM login_sources USING old
WHERE login_sources.key = old.key AND last_at <= now() - $1::interval;

-- name: audit_delete_old
-- Delete the oldest entries of the audit log before an id, at most $2.
WITH old AS (SELECT id FROM audit_log WHERE id < $1 ORDER BY id LIMIT $2)
DELETE FROM audit_log USING old WHERE audit_log.id = old.id;

-- name: executions_delete_old
-- Delete the oldest executions of every app before an id, at most $2 each, by the primary key, which starts with the app.
DELETE FROM execution_logs USING apps CROSS JOIN LATERAL (
    SELECT app_id, id FROM execution_logs WHERE app_id = apps.id AND id < $1 ORDER BY id LIMIT $2
) AS old
WHERE execution_logs.app_id = old.app_id AND execution_logs.id = old.id;
