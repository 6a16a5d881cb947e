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
UPDATE docs doc SET data = docs_merge_patch(data, $4::text::jsonb), updated_at = now()
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

-- name: docs_count_of_app
-- The number of documents of an app, counted up to 10,000.
SELECT count(*) FROM (SELECT FROM docs WHERE app_id = $1 LIMIT 10000) AS counted;

-- name: docs_clear_app
-- Delete an app's documents.
DELETE FROM docs WHERE app_id = $1;
