-- What lies in a range, whichever field it is: answers `docs_ordered(...) @@ '<field>n0101:* | ...'`.
-- Each number and text that a path of a filter can reach gets a term: its field, as 12 digits of a hash of the
-- app, the collection and the path; a letter; and its place in the order, as binary digits without the last
-- zeros. So a range is a few beginnings of terms (services/docs/ranges.py), and those of one app and collection
-- lie together. Places are rough, and what is found is compared with the bounds themselves:
-- n and m are numbers from zero on and below, by the bits of their size as a double; s are texts, by their
-- first 16 bytes, which is a date to the minute. A document of more than 1,000 fields has the one term of its
-- collection that every range asks for as well.
CREATE FUNCTION docs_ordered(app_id uuid, collection text, data jsonb) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 1000
-- Else its statement is planned anew each time, which takes longer than the statement.
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    root    text := left(encode(sha256(convert_to(app_id || collection, 'UTF8')), 'hex'), 12);
    parents text[] := ARRAY[root];
    objects jsonb[] := ARRAY[data];
    terms   text[] := '{}';
    fields  integer := 0;
    level   record;
BEGIN
    FOR depth IN 1..5 LOOP
        SELECT count(*) AS fields,
            array_agg(name) FILTER (WHERE type = 'object') AS parents,
            array_agg(value) FILTER (WHERE type = 'object') AS objects,
            array_agg(name || CASE
                WHEN type = 'string' THEN 's'
                WHEN value::numeric < 0 THEN 'm'
                ELSE 'n'
            END || rtrim(substr(('x' || encode(CASE
                WHEN type = 'string' THEN
                    substring(convert_to(left(value #>> '{}', 16), 'UTF8') FOR 16)
                WHEN abs(value::numeric) < 1e-307 THEN '\x0000000000000000'
                ELSE float8send(least(abs(value::numeric), 1e308)::float8)
            END, 'hex'))::varbit::text, CASE WHEN type = 'string' THEN 1 ELSE 2 END), '0'))
            FILTER (WHERE type IN ('number', 'string')) AS terms
        INTO level
        FROM (
            SELECT left(encode(sha256(convert_to(parent.name || field.key, 'UTF8')), 'hex'), 12) AS name,
                field.value, jsonb_typeof(field.value) AS type
            FROM unnest(parents, objects) AS parent (name, object), jsonb_each(parent.object) AS field
            LIMIT 1001
        ) AS field;
        fields := fields + level.fields;
        IF fields > 1000 THEN
            RETURN array_to_tsvector(ARRAY[root]);
        END IF;
        terms := terms || level.terms;
        EXIT WHEN level.objects IS NULL;
        parents := level.parents;
        objects := level.objects;
    END LOOP;
    RETURN array_to_tsvector(terms);
END
$$;
CREATE INDEX docs_ordered ON docs USING gin (docs_ordered(app_id, collection, data));
-- Statistics of terms say nothing of a range, and making them would take longer than all else of ANALYZE.
ALTER INDEX docs_ordered ALTER COLUMN 1 SET STATISTICS 0;

-- 32 documents of a collection, or the same ones more than once: those at even steps from the first id to the last,
-- which begin with the time they were made at.
CREATE FUNCTION docs_sample(app uuid, name text) RETURNS SETOF docs LANGUAGE plpgsql STABLE ROWS 32 AS $$
DECLARE
    low  bigint := ('x' || left(translate((
        SELECT id FROM docs WHERE app_id = app AND collection = name ORDER BY id LIMIT 1
    )::text, '-', ''), 15))::bit(60)::bigint;
    high bigint := ('x' || left(translate((
        SELECT id FROM docs WHERE app_id = app AND collection = name ORDER BY id DESC LIMIT 1
    )::text, '-', ''), 15))::bit(60)::bigint;
BEGIN
    RETURN QUERY SELECT doc.* FROM generate_series(0, 31) AS step, LATERAL (
        SELECT * FROM docs
        WHERE app_id = app AND collection = name
            AND id >= (lpad(to_hex(low + (high - low) / 31 * step), 15, '0') || repeat('0', 17))::uuid
        ORDER BY id LIMIT 1
    ) AS doc;
END
$$;
