-- name: script_app
-- The app of a script.
SELECT app_id FROM scripts WHERE id = $1;

-- name: script_to_run
-- A script of an app and the modules it needs, at most $5 rows. The source is null if version ($3, $4) is
-- in memory, and for modules with more than $6 bytes in total.
WITH RECURSIVE needed (id, is_script) AS (
    SELECT id, true FROM scripts WHERE app_id = $1 AND id = $2
    UNION
    SELECT m.id, false
    FROM needed n
    JOIN script_imports i ON i.app_id = $1 AND i.script_id = n.id
    JOIN scripts m ON m.app_id = i.app_id AND m.name = i.name AND m.kind = 'module'
), sized AS (
    SELECT s.id, s.name, s.kind, s.version, s.sandbox, s.execute_access, s.record_bodies, s.source, n.is_script,
           coalesce(sum(octet_length(s.source)) FILTER (WHERE NOT n.is_script) OVER (), 0) AS total
    FROM (SELECT id, is_script FROM needed LIMIT $5) n
    JOIN scripts s ON s.app_id = $1 AND s.id = n.id
)
SELECT sized.id, sized.name, kind, version, sandbox, execute_access, is_script, total,
       coalesce(sized.record_bodies, app.record_bodies) AS record_bodies, app.public_errors,
       app.script_revision AS revision,
       CASE WHEN (is_script OR total <= $6)
             AND NOT EXISTS (SELECT FROM unnest($3::uuid[], $4::integer[]) AS held (script, number)
                             WHERE held.script = sized.id AND held.number = sized.version)
            THEN source END AS source
FROM sized JOIN apps app ON app.id = $1;

-- name: module_source
-- The app's revision and the script with a name; the kind is null if there is none.
SELECT a.script_revision AS revision, s.kind, s.source
FROM apps a LEFT JOIN scripts s ON s.app_id = a.id AND s.name = $2 WHERE a.id = $1;

-- name: script_imports_keep
-- Replace the imports of a script by $3.
WITH gone AS (
    DELETE FROM script_imports WHERE app_id = $1 AND script_id = $2 AND name <> ALL($3::text[])
)
INSERT INTO script_imports (app_id, script_id, name) SELECT $1, $2, unnest($3::text[]) ON CONFLICT DO NOTHING;

-- name: script_imports_list
-- The names a script imports.
SELECT name FROM script_imports WHERE app_id = $1 AND script_id = $2;

-- name: imports_graph
-- The scripts with these names ($2) in an app, and everything they import: a row for each name with its imports.
WITH RECURSIVE needed (name) AS (
    SELECT unnest($2::text[])
    UNION
    SELECT i.name
    FROM needed n
    JOIN scripts m ON m.app_id = $1 AND m.name = n.name AND m.kind = 'module'
    JOIN script_imports i ON i.app_id = m.app_id AND i.script_id = m.id
)
SELECT n.name, s.id, s.version, s.kind,
       ARRAY(SELECT i.name FROM script_imports i WHERE i.app_id = s.app_id AND i.script_id = s.id)
           AS imports
FROM (SELECT name FROM needed LIMIT $3) n LEFT JOIN scripts s ON s.app_id = $1 AND s.name = n.name;

-- name: importers_list
-- A page of the scripts, other than $4 itself, that import a name ($5), oldest first, without their sources.
SELECT s.id, s.app_id, s.name, s.kind, s.description, s.version, s.sandbox, s.execute_access, s.record_bodies, s.created_at, s.updated_at
FROM script_imports i JOIN scripts s ON s.app_id = i.app_id AND s.id = i.script_id
WHERE i.app_id = $1 AND i.name = $5 AND i.script_id <> $4 AND ($2::uuid IS NULL OR i.script_id > $2)
ORDER BY i.script_id LIMIT $3;

-- name: importers
-- The scripts, other than $3 itself, that import a name; at most 100.
SELECT s.id, s.name, s.kind
FROM script_imports i JOIN scripts s ON s.app_id = i.app_id AND s.id = i.script_id
WHERE i.app_id = $1 AND i.name = $2 AND i.script_id <> $3
ORDER BY i.script_id LIMIT 100;
