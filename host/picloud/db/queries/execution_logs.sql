-- name: execution_logs_insert
-- Write many records at once; one already there (a retry after a lost answer) stays as it is. Those of an app
-- that is gone are left out; the lock is what a foreign key would take, so that none is written behind a deletion.
INSERT INTO execution_logs (
    app_id, id, script_id, version, ingress, request_id, request, outcome, status, response, error, cache, fuel,
    operations, peak_memory_bytes, wall_ms, host_call_ms, host_calls, logs, logs_dropped, root_execution_id, started_at,
    outbound, outbound_dropped
)
SELECT record.* FROM unnest(
    $1::uuid[], $2::uuid[], $3::uuid[], $4::integer[], $5::text[], $6::text[], $7::jsonb[], $8::text[], $9::integer[],
    $10::jsonb[], $11::jsonb[], $12::text[], $13::bigint[], $14::bigint[], $15::bigint[], $16::float8[], $17::float8[],
    $18::jsonb[], $19::jsonb[], $20::integer[], $21::uuid[], $22::timestamptz[],
    $23::jsonb[], $24::integer[]
) AS record (app_id) JOIN apps ON apps.id = record.app_id
FOR KEY SHARE OF apps
ON CONFLICT (app_id, id) DO NOTHING;
