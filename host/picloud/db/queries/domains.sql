-- name: domain_insert
-- Claim a host or a wildcard; the unique index rejects a host that any app has claimed.
INSERT INTO domains (app_id, id, pattern, kind)
VALUES ($1, $2, $3, CASE WHEN $3 LIKE '*.%' THEN 'wildcard' ELSE 'exact' END)
RETURNING id, app_id, pattern, kind, created_at;

-- name: domains_list
-- A page of an app's domains, oldest first.
SELECT id, app_id, pattern, kind, created_at FROM domains
WHERE app_id = $1 AND ($2::uuid IS NULL OR id > $2)
ORDER BY id LIMIT $3;

-- name: domain_count
-- The number of domains of an app.
SELECT count(*) FROM domains WHERE app_id = $1;

-- name: domain_around
-- Of nested patterns ($1, the most specific first) the first that is claimed, and its app.
SELECT app_id, pattern FROM domains WHERE pattern = ANY($1::text[]) ORDER BY array_position($1::text[], pattern) LIMIT 1;

-- name: domain_claimed
-- Whether an app has claimed one of these patterns.
SELECT EXISTS (SELECT FROM domains WHERE app_id = $1 AND pattern = ANY($2::text[]));

-- name: domain_patterns
-- All domains of an app.
SELECT pattern FROM domains WHERE app_id = $1;

-- name: domain_delete
-- Delete a domain of an app.
DELETE FROM domains WHERE app_id = $1 AND id = $2 RETURNING id, app_id, pattern, kind, created_at;

-- name: domains_all
-- Every domain of the instance, for the table in memory.
SELECT pattern, app_id FROM domains;

-- name: domains_fingerprint
-- A number that changes when the domains of the instance change.
SELECT coalesce(bit_xor(hashtextextended(pattern || ' ' || app_id, 0)), 0) FROM domains;
