-- name: audit_insert
-- Add an entry for a change, in its transaction.
INSERT INTO audit_log (id, app_id, user_id, username, key_id, address, request_id, action, outcome, target, before, after)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'done', $9, $10, $11);

-- name: audit_refused
-- Add a denied request, or count it on the entry with the key $11. After $14 entries of one user (or of anonymous callers) since $13, a new denial is counted on the entry with the key $12, without its address and with the target $15.
WITH known AS (
    SELECT count(*) < $14 OR EXISTS (SELECT FROM audit_log WHERE fold = $11) AS apart
    FROM (
        SELECT FROM audit_log
        WHERE (user_id = $3 OR (user_id IS NULL AND $3::uuid IS NULL)) AND outcome = 'refused' AND id >= $13
        LIMIT $14
    ) AS recent
)
INSERT INTO audit_log AS kept
    (id, app_id, user_id, username, key_id, address, request_id, action, outcome, reason, target, fold)
SELECT $1, $2, $3, $4, $5, CASE WHEN apart THEN $6 ELSE '' END, $7, $8, 'refused', $9::text,
       CASE WHEN apart THEN $10::text ELSE $15::text END, CASE WHEN apart THEN $11::bytea ELSE $12::bytea END
FROM known
ON CONFLICT (fold) DO UPDATE SET times = kept.times + 1, last_at = now();

-- name: audit_list
-- A page of the log, newest first, filtered by app, user, action and outcome if given.
SELECT id, at, user_id, username, key_id, address, request_id, action, outcome, reason, app_id, target, before, after,
       times, coalesce(last_at, at) AS last_at
FROM audit_log
WHERE ($1::uuid IS NULL OR app_id = $1)
  AND ($2::uuid IS NULL OR user_id = $2)
  AND ($3::text IS NULL OR action = $3)
  AND ($4::text IS NULL OR outcome = $4)
  AND ($5::uuid IS NULL OR id < $5)
ORDER BY id DESC
LIMIT $6;
