-- What scripts import: names, not ids, for what is imported may be made later, renamed, or deleted.

CREATE TABLE script_imports (
    app_id    uuid NOT NULL,
    script_id uuid NOT NULL,
    name      text NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 128),
    PRIMARY KEY (app_id, script_id, name),
    FOREIGN KEY (app_id, script_id) REFERENCES scripts ON DELETE CASCADE
);
CREATE INDEX script_imports_name ON script_imports (app_id, name, script_id);
