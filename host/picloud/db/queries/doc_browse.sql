-- name: doc_collections
-- The collections of an app by name after $2, at most $3: with the number of documents and bytes, counted up to $4.
-- Jumps from name to name in the index, without reading the documents between.
WITH RECURSIVE names (name, place) AS (
    (SELECT collection, 1 FROM docs WHERE app_id = $1 AND collection > $2 ORDER BY collection LIMIT 1)
    UNION ALL
    SELECT (
        SELECT collection FROM docs WHERE app_id = $1 AND collection > names.name ORDER BY collection LIMIT 1
    ), place + 1
    FROM names WHERE name IS NOT NULL AND place < $3
)
SELECT name, documents, bytes, more FROM names, LATERAL (
    SELECT count(*) FILTER (WHERE place <= $4) AS documents, sum(size) FILTER (WHERE place <= $4)::bigint AS bytes,
        count(*) > $4 AS more
    FROM (
        SELECT size, row_number() OVER (ORDER BY id) AS place FROM docs
        WHERE app_id = $1 AND collection = names.name ORDER BY id LIMIT $4 + 1
    ) AS first
) AS counted
WHERE name IS NOT NULL ORDER BY name;

-- name: doc_any
-- Whether a collection has a document.
SELECT EXISTS (SELECT FROM docs WHERE app_id = $1 AND collection = $2);

-- name: doc_show
-- A document.
SELECT id, collection, data::text AS data, size, created_at, updated_at FROM docs
WHERE app_id = $1 AND collection = $2 AND id = $3;
