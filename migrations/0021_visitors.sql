-- What anonymous callers get: error messages of scripts only where the app says so, and no script that no route leads to.

ALTER TABLE apps ADD COLUMN public_errors boolean NOT NULL DEFAULT false;
DROP TRIGGER apps_record_bodies_changed ON apps;
CREATE TRIGGER apps_execution_settings_changed BEFORE UPDATE OF record_bodies, public_errors ON apps
    FOR EACH ROW WHEN (
        (OLD.record_bodies, OLD.public_errors) IS DISTINCT FROM (NEW.record_bodies, NEW.public_errors)
    )
    EXECUTE FUNCTION execution_settings_changed();

-- New scripts are "routed": by their id they are open while a route leads to them. Existing ones keep what they have.
ALTER TABLE scripts
    DROP CONSTRAINT scripts_execute_access_check,
    ADD CONSTRAINT scripts_execute_access_check CHECK (execute_access IN ('open', 'members', 'routed')),
    ALTER COLUMN execute_access SET DEFAULT 'routed';
