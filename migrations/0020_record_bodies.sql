-- Which bodies of requests and responses the execution log keeps: of the app, and of a script that has its own rule.
ALTER TABLE apps ADD COLUMN record_bodies text NOT NULL DEFAULT 'errors'
    CHECK (record_bodies IN ('none', 'errors', 'all'));
ALTER TABLE scripts ADD COLUMN record_bodies text CHECK (record_bodies IN ('none', 'errors', 'all'));

-- Workers read it with the script.
CREATE FUNCTION execution_settings_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.script_revision := NEW.script_revision + 1;
    RETURN NEW;
END $$;
CREATE TRIGGER apps_record_bodies_changed BEFORE UPDATE OF record_bodies ON apps
    FOR EACH ROW WHEN (OLD.record_bodies IS DISTINCT FROM NEW.record_bodies)
    EXECUTE FUNCTION execution_settings_changed();
