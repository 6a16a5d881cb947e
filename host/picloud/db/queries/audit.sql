-- name: audit_insert
-- Add an entry; inside the transaction of the change it tells of.
INSERT INTO audit_log (id, app_id, user_id, username, key_id, address, request_id, action, outcome, reason, target, before, after)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13);
