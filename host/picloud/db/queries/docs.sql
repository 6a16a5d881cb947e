-- name: doc_create
-- Insert a document; returns its envelope, its size, and with $5 its stored data.
INSERT INTO docs AS doc (app_id, collection, id, data) VALUES ($1, $2, $3, $4::text::jsonb)
RETURNING docs_envelope(doc) AS envelope, size, CASE WHEN $5 THEN data::text END AS data;

-- name: doc_get
-- The envelope of one document.
SELECT docs_envelope(doc) FROM docs doc WHERE app_id = $1 AND collection = $2 AND id = $3;

-- name: doc_lock
-- The size of a document, and with $4 its data, locked to the end of the transaction.
SELECT size, CASE WHEN $4 THEN data::text END AS data FROM docs
WHERE app_id = $1 AND collection = $2 AND id = $3
FOR UPDATE;

-- name: doc_update
-- Replace a document's data; returns what doc_create returns.
UPDATE docs doc SET data = $4::text::jsonb, updated_at = now()
WHERE app_id = $1 AND collection = $2 AND id = $3
RETURNING docs_envelope(doc) AS envelope, size, CASE WHEN $5 THEN data::text END AS data;

-- name: doc_patch
-- Merge into a document's data; returns what doc_create returns. The row is locked, so that concurrent patches all apply.
-- Fails if the result has more than $7 bytes of strings, $8 elements or $9 entries, which $6 bytes of JSON cannot have.
UPDATE docs doc SET updated_at = now(), data = CASE
    WHEN $6::bigint IS NULL OR size + octet_length($4::text) <= $6 THEN docs_merge_patch(data, $4::text::jsonb)
    ELSE docs_require_readable(docs_merge_patch(data, $4::text::jsonb), $7, $8, $9)
END
WHERE app_id = $1 AND collection = $2 AND id = $3
RETURNING docs_envelope(doc) AS envelope, size, CASE WHEN $5 THEN data::text END AS data;

-- name: doc_delete
-- Delete a document; returns its size, and with $4 its data.
DELETE FROM docs WHERE app_id = $1 AND collection = $2 AND id = $3
RETURNING size, CASE WHEN $4 THEN data::text END AS data;

-- name: docs_list
-- Envelopes in the order of their ids after $3, at most $4, up to the one that exceeds $5 bytes;
-- an envelope adds 133 bytes to the data. Only the returned documents are read whole.
SELECT id, asked, (
    SELECT docs_envelope(doc) FROM docs doc WHERE app_id = $1 AND collection = $2 AND doc.id = counted.id
) AS envelope
FROM (
    SELECT id, size, count(*) OVER () AS asked, sum(size + 133) OVER (ORDER BY id) AS total
    FROM (
        SELECT id, size FROM docs
        WHERE app_id = $1 AND collection = $2 AND ($3::uuid IS NULL OR id > $3)
        ORDER BY id LIMIT $4
    ) AS page
) AS counted
WHERE total - size - 133 <= $5
ORDER BY id;

-- name: docs_lack_field
-- Whether there are documents, and none has the field $3; $4 finds those in which it is a number or a string.
SELECT EXISTS (SELECT FROM docs WHERE app_id = $1 AND collection = $2)
    AND NOT EXISTS (SELECT FROM docs_sample($1, $2) AS doc WHERE doc.data ? $3)
    AND NOT EXISTS (
        SELECT FROM docs
        WHERE coalesce(app_id = $1 AND collection = $2, FALSE) AND data ? $3
            AND docs_ordered(app_id, collection, data) @@ (SELECT $4::text::tsquery)
    );

-- name: docs_count_of_app
-- The number of documents of an app, counted up to 10,000.
SELECT count(*) FROM (SELECT FROM docs WHERE app_id = $1 LIMIT 10000) AS counted;

-- name: docs_clear_app
-- Delete an app's documents.
DELETE FROM docs WHERE app_id = $1;
