-- name: domain_insert
-- Claim a host or all hosts below a name; the unique index refuses what any app has claimed.
INSERT INTO domains (app_id, id, pattern, kind)
VALUES ($1, $2, $3, CASE WHEN $3 LIKE '*.%' THEN 'wildcard' ELSE 'exact' END)
RETURNING id, app_id, pattern, kind, created_at;

-- name: domains_list
-- A page of an app's claims, oldest first.
SELECT id, app_id, pattern, kind, created_at FROM domains
WHERE app_id = $1 AND ($2::uuid IS NULL OR id > $2)
ORDER BY id LIMIT $3;

-- name: domain_count
-- How many claims an app has.
SELECT count(*) FROM domains WHERE app_id = $1;

-- name: domain_around
-- Of claims that lie in one another ($1, the most specific first) the first that was made, and by which app.
SELECT app_id, pattern FROM domains WHERE pattern = ANY($1::text[]) ORDER BY array_position($1::text[], pattern) LIMIT 1;

-- name: domain_claimed
-- Whether an app has made one of these claims.
SELECT EXISTS (SELECT FROM domains WHERE app_id = $1 AND pattern = ANY($2::text[]));

-- name: domain_patterns
-- All claims of an app.
SELECT pattern FROM domains WHERE app_id = $1;

-- name: domain_delete
-- Give a claim of an app up.
DELETE FROM domains WHERE app_id = $1 AND id = $2 RETURNING id, app_id, pattern, kind, created_at;

-- name: domains_all
-- Every claim of the instance, for the table in memory.
SELECT pattern, app_id FROM domains;

-- name: domains_fingerprint
-- A number that is another when the claims of the instance are.
SELECT coalesce(bit_xor(hashtextextended(pattern || ' ' || app_id, 0)), 0) FROM domains;
