-- name: member_grant
-- Add an active user with the role member to an app; returns the user in every case.
WITH person AS (
    SELECT id, username, email, role, is_active FROM admin_users WHERE id = $2 FOR SHARE
), granted AS (
    INSERT INTO app_members (app_id, user_id, role)
    SELECT $1, id, $3 FROM person WHERE is_active AND role = 'member'
    RETURNING created_at, updated_at
)
SELECT person.id AS user_id, person.username, person.email, person.role AS instance_role, person.is_active,
    granted.created_at, granted.updated_at
FROM person LEFT JOIN granted ON true;

-- name: member_change
-- Change the role of a member who is an active user with the role member; returns the previous role.
WITH person AS (
    SELECT m.user_id, m.role AS before, u.username, u.email, u.role AS instance_role, u.is_active
    FROM app_members m JOIN admin_users u ON u.id = m.user_id
    WHERE m.app_id = $1 AND m.user_id = $2
    FOR UPDATE OF m FOR SHARE OF u
), changed AS (
    UPDATE app_members m SET role = $3, updated_at = now()
    FROM person
    WHERE m.app_id = $1 AND m.user_id = person.user_id AND person.is_active AND person.instance_role = 'member'
    RETURNING m.created_at, m.updated_at
)
SELECT person.before, person.user_id, person.username, person.email, person.instance_role, person.is_active,
    changed.created_at, changed.updated_at
FROM person LEFT JOIN changed ON true;

-- name: member_remove
-- Remove a member; returns the username and the role.
DELETE FROM app_members m USING admin_users u
WHERE m.app_id = $1 AND m.user_id = $2 AND u.id = m.user_id
RETURNING u.username, m.role;

-- name: members_remove_of_user
-- Remove every membership of a user; returns them.
DELETE FROM app_members WHERE user_id = $1 RETURNING app_id, role;

-- name: members_list
-- A page of an app's members, in the order in which the users were created.
SELECT m.user_id AS id, m.user_id, u.username, u.email, m.role, u.role AS instance_role, u.is_active,
    m.created_at, m.updated_at
FROM app_members m JOIN admin_users u ON u.id = m.user_id
WHERE m.app_id = $1 AND ($2::uuid IS NULL OR m.user_id > $2)
ORDER BY m.user_id
LIMIT $3;
