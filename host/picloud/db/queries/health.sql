-- name: health_schema
-- The schema version of the database.
SELECT count(*) FROM schema_migrations;
