-- name: executions_plan
-- Plan the next query for its actual parameters: a generic plan would read the whole log of an app.
SET LOCAL plan_cache_mode = force_custom_plan;

-- name: executions_of_app
-- A page of an app's executions, newest first; $2 narrows it to a script, $3 to an outcome.
SELECT id, app_id, script_id, version, ingress, request_id, request, outcome, status, response, error, cache,
       fuel, operations, peak_memory_bytes, wall_ms, host_call_ms, host_calls, logs, logs_dropped,
       outbound, outbound_dropped, root_execution_id, parent_execution_id, depth, event, omitted, started_at
FROM execution_logs
WHERE app_id = $1
  AND ($2::uuid IS NULL OR script_id = $2)
  AND ($3::text IS NULL OR outcome = $3)
  AND ($4::uuid IS NULL OR id < $4)
ORDER BY id DESC LIMIT $5;

-- name: execution_find
-- One execution of an app.
SELECT id, app_id, script_id, version, ingress, request_id, request, outcome, status, response, error, cache,
       fuel, operations, peak_memory_bytes, wall_ms, host_call_ms, host_calls, logs, logs_dropped,
       outbound, outbound_dropped, root_execution_id, parent_execution_id, depth, event, omitted, started_at
FROM execution_logs
WHERE app_id = $1 AND id = $2;

-- name: execution_positions
-- The last position in the log of each of some apps; a deleted app has no row.
SELECT apps.id AS app_id, coalesce(known.last, 0) AS last
FROM apps LEFT JOIN execution_positions AS known ON known.app_id = apps.id
WHERE apps.id = ANY($1::uuid[]);

-- name: executions_recorded
-- Executions of an app after position $2 and up to $3, in the order they were recorded; $4 narrows it to a
-- script, $5 to an outcome.
SELECT position, id, app_id, script_id, version, ingress, request_id, request, outcome, status, response, error, cache,
       fuel, operations, peak_memory_bytes, wall_ms, host_call_ms, host_calls, logs, logs_dropped,
       outbound, outbound_dropped, root_execution_id, parent_execution_id, depth, event, omitted, started_at
FROM execution_logs
WHERE app_id = $1 AND position > $2 AND position <= $3
  AND ($4::uuid IS NULL OR script_id = $4)
  AND ($5::text IS NULL OR outcome = $5)
ORDER BY position LIMIT $6;

-- name: execution_bytes
-- The bytes in the log of each app.
SELECT app_id, sum(bytes)::bigint AS bytes
FROM (
    SELECT app_id, bytes FROM app_usage WHERE store = 'executions'
    UNION ALL
    SELECT app_id, bytes FROM usage_deltas WHERE store = 'executions'
) AS counted
GROUP BY app_id;

-- name: executions_shorten
-- Delete the oldest executions of some apps ($1) until about $2 bytes of each are deleted, at most $3 rows each.
DELETE FROM execution_logs USING unnest($1::uuid[], $2::bigint[]) AS app (id, excess) CROSS JOIN LATERAL (
    SELECT app_id, id, sum(size) OVER (ORDER BY id) - size AS deleted
    FROM (SELECT app_id, id, size FROM execution_logs WHERE app_id = app.id ORDER BY id LIMIT $3) AS oldest
) AS old
WHERE old.deleted < app.excess AND execution_logs.app_id = old.app_id AND execution_logs.id = old.id;
