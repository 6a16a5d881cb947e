-- What tells a worker that the scripts of an app have changed: the revision grows with every save and deletion.
-- The row of the app is locked by whoever saves, so of one app the order of revisions is the order of commits.
ALTER TABLE apps ADD COLUMN script_revision bigint NOT NULL DEFAULT 0;

CREATE FUNCTION scripts_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE apps SET script_revision = script_revision + 1 WHERE id IN (SELECT app_id FROM changed);
    RETURN NULL;
END $$;
CREATE TRIGGER scripts_inserted AFTER INSERT ON scripts
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION scripts_changed();
CREATE TRIGGER scripts_deleted AFTER DELETE ON scripts
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION scripts_changed();

-- Every save is a version; other updates only count bytes.
CREATE FUNCTION script_saved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE apps SET script_revision = script_revision + 1 WHERE id = NEW.app_id;
    RETURN NULL;
END $$;
CREATE TRIGGER scripts_saved AFTER UPDATE OF version ON scripts
    FOR EACH ROW EXECUTE FUNCTION script_saved();
