-- name: doc_collections
-- The collections of an app by name after $2, at most $3: how many documents each has, and of how many bytes.
SELECT collection AS name, count(*) AS documents, sum(size)::bigint AS bytes
FROM docs WHERE app_id = $1 AND collection > $2
GROUP BY collection ORDER BY collection LIMIT $3;

-- name: doc_any
-- Whether a collection has a document.
SELECT EXISTS (SELECT FROM docs WHERE app_id = $1 AND collection = $2);

-- name: doc_show
-- All of a document.
SELECT id, collection, data::text AS data, size, created_at, updated_at FROM docs
WHERE app_id = $1 AND collection = $2 AND id = $3;

-- name: doc_lock
-- The size of a document, which does not change until the transaction ends.
SELECT size FROM docs WHERE app_id = $1 AND collection = $2 AND id = $3 FOR UPDATE;
