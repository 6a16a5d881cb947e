-- name: usage_of
-- The current usage of an app by store.
SELECT store, sum(rows)::bigint AS rows, sum(bytes)::bigint AS bytes
FROM (
    SELECT store, rows, bytes FROM app_usage WHERE app_id = $1
    UNION ALL
    SELECT store, rows, bytes FROM usage_deltas WHERE app_id = $1
    UNION ALL
    -- Each save makes one version, from 1, and none is ever removed but with its script.
    SELECT 'scripts', coalesce(sum(version), 0), coalesce(sum(kept_bytes), 0) FROM scripts WHERE app_id = $1
) AS counted
GROUP BY store;

-- name: usage_grown
-- The rows and bytes that this transaction has added to a store.
SELECT coalesce(sum(rows), 0)::bigint AS rows, coalesce(sum(bytes), 0)::bigint AS bytes
FROM usage_deltas WHERE app_id = $1 AND store = $2 AND writer = pg_current_xact_id();

-- name: usage_compact
-- Add the deltas to app_usage, unless another node does; deltas of deleted apps are deleted.
WITH turn AS MATERIALIZED (
    SELECT pg_try_advisory_xact_lock(hashtextextended('picloud usage', 0)) AS mine
), taken AS (
    DELETE FROM usage_deltas WHERE (SELECT mine FROM turn) RETURNING app_id, store, rows, bytes
), here AS MATERIALIZED (
    -- One that is being deleted is waited for, and then is not here.
    SELECT id FROM apps WHERE id IN (SELECT app_id FROM taken) ORDER BY id FOR KEY SHARE
)
INSERT INTO app_usage AS known (app_id, store, rows, bytes)
SELECT app_id, store, sum(taken.rows), sum(taken.bytes)
FROM taken JOIN here ON here.id = taken.app_id
GROUP BY app_id, store ORDER BY app_id, store
ON CONFLICT (app_id, store) DO UPDATE
SET rows = known.rows + excluded.rows, bytes = known.bytes + excluded.bytes;
