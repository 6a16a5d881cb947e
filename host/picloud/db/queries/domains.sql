-- name: domain_insert
-- Claim a host; the unique index refuses one that any app has claimed.
INSERT INTO domains (app_id, id, pattern, kind) VALUES ($1, $2, $3, 'exact')
RETURNING id, app_id, pattern, kind, created_at;

-- name: domains_list
-- A page of an app's claims, oldest first.
SELECT id, app_id, pattern, kind, created_at FROM domains
WHERE app_id = $1 AND ($2::uuid IS NULL OR id > $2)
ORDER BY id LIMIT $3;

-- name: domains_all
-- Every claim of the instance, for the table in memory.
SELECT pattern, app_id FROM domains;
