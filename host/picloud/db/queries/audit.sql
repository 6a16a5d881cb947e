-- name: audit_insert
-- Add an entry; inside the transaction of the change it tells of.
INSERT INTO audit_log (id, app_id, user_id, username, key_id, address, request_id, action, outcome, reason, target, before, after)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13);

-- name: audit_list
-- A page of the log, newest first, of an app, a user, an action and an outcome where they are given.
SELECT id, at, user_id, username, key_id, address, request_id, action, outcome, reason, app_id, target, before, after
FROM audit_log
WHERE ($1::uuid IS NULL OR app_id = $1)
  AND ($2::uuid IS NULL OR user_id = $2)
  AND ($3::text IS NULL OR action = $3)
  AND ($4::text IS NULL OR outcome = $4)
  AND ($5::uuid IS NULL OR id < $5)
ORDER BY id DESC
LIMIT $6;
