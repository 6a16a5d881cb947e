-- name: execution_logs_insert
-- Insert many records; existing ones (a retry after a lost response) stay. Records of a deleted app are left
-- out; the lock is that of a foreign key, so that no record is written after the deletion.
-- Positions follow the ids within the statement. Apps are locked in the order of their ids, so that
-- concurrent writers cannot deadlock. What was inserted is counted as usage of the app.
WITH record AS MATERIALIZED (
    SELECT * FROM unnest(
        $1::uuid[], $2::uuid[], $3::uuid[], $4::integer[], $5::text[], $6::text[], $7::jsonb[], $8::text[], $9::integer[],
        $10::jsonb[], $11::jsonb[], $12::text[], $13::bigint[], $14::bigint[], $15::bigint[], $16::float8[], $17::float8[],
        $18::jsonb[], $19::jsonb[], $20::integer[], $21::uuid[], $22::timestamptz[],
        $23::jsonb[], $24::integer[], $25::uuid[], $26::integer[], $27::jsonb[],
        $28::integer[], $29::text[]
    ) AS record (app_id, id)
), present AS MATERIALIZED (
    SELECT id FROM apps WHERE id IN (SELECT app_id FROM record) FOR KEY SHARE
), counted AS (
    INSERT INTO execution_positions AS known (app_id, last)
    SELECT present.id, count(*) FROM present JOIN record ON record.app_id = present.id
    GROUP BY present.id ORDER BY present.id
    ON CONFLICT (app_id) DO UPDATE SET last = known.last + EXCLUDED.last
    RETURNING app_id, last
), inserted AS (
    INSERT INTO execution_logs (
        app_id, id, script_id, version, ingress, request_id, request, outcome, status, response, error, cache, fuel,
        operations, peak_memory_bytes, wall_ms, host_call_ms, host_calls, logs, logs_dropped, root_execution_id, started_at,
        outbound, outbound_dropped, parent_execution_id, depth, event, size, omitted, position
    )
    SELECT record.*, counted.last + 1 - row_number() OVER (PARTITION BY record.app_id ORDER BY record.id DESC)
    FROM record JOIN counted ON counted.app_id = record.app_id
    ON CONFLICT (app_id, id) DO NOTHING
    RETURNING app_id, size
)
INSERT INTO usage_deltas (app_id, store, rows, bytes)
SELECT app_id, 'executions', count(*), sum(size) FROM inserted GROUP BY app_id;
