-- name: executions_plan
-- Plan the next query for its actual parameters: a generic plan would read the whole log of an app.
SET LOCAL plan_cache_mode = force_custom_plan;

-- name: executions_of_app
-- A page of an app's executions, newest first; $2 narrows it to a script, $3 to an outcome.
SELECT id, app_id, script_id, version, ingress, request_id, request, outcome, status, response, error, cache,
       fuel, operations, peak_memory_bytes, wall_ms, host_call_ms, host_calls, logs, logs_dropped,
       outbound, outbound_dropped, root_execution_id, parent_execution_id, depth, event, started_at
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
       outbound, outbound_dropped, root_execution_id, parent_execution_id, depth, event, started_at
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
       outbound, outbound_dropped, root_execution_id, parent_execution_id, depth, event, started_at
FROM execution_logs
WHERE app_id = $1 AND position > $2 AND position <= $3
  AND ($4::uuid IS NULL OR script_id = $4)
  AND ($5::text IS NULL OR outcome = $5)
ORDER BY position LIMIT $6;
