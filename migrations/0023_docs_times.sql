-- `$created_at` and `$updated_at` of filters and sorts. `$id` has the primary key.
CREATE INDEX docs_created ON docs (app_id, collection, created_at, id);
CREATE INDEX docs_updated ON docs (app_id, collection, updated_at, id);
