-- The index of documents is one for all apps, but each app finds its own entries in it, and the planner's
-- statistics are of an app's conditions: many documents of one app that have a value in common would
-- otherwise slow every other app's search for that value.

CREATE FUNCTION docs_scoped(app_id uuid, collection text, data jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object(app_id::text || collection, data)
$$;
CREATE INDEX docs_scope ON docs USING gin (docs_scoped(app_id, collection, data) jsonb_path_ops);
DROP INDEX docs_data;
