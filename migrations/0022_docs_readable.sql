-- A patch is rejected when the script that makes it could not read the result. The interpreter adds up all strings, array
-- elements and map entries in a value, and compares the sums with its limits.
CREATE FUNCTION docs_require_readable(data jsonb, max_strings bigint, max_elements bigint, max_entries bigint)
RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    strings  bigint;
    elements bigint;
    entries  bigint;
BEGIN
    SELECT sum(CASE jsonb_typeof(value) WHEN 'string' THEN octet_length(value #>> '{}') END),
        sum(CASE jsonb_typeof(value) WHEN 'array' THEN jsonb_array_length(value) END),
        sum(CASE jsonb_typeof(value) WHEN 'object' THEN (SELECT count(*) FROM jsonb_object_keys(value)) END)
    INTO strings, elements, entries
    FROM jsonb_path_query(data, 'strict $.**') AS value;
    IF strings > max_strings OR elements > max_elements OR entries > max_entries THEN
        RAISE check_violation USING
            MESSAGE = 'a document exceeds the limits of the script that patches it',
            CONSTRAINT = CASE
                WHEN strings > max_strings THEN 'docs_max_string_size'
                WHEN elements > max_elements THEN 'docs_max_array_size'
                ELSE 'docs_max_map_size'
            END;
    END IF;
    RETURN data;
END
$$;
