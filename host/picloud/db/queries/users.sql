-- name: users_lock
-- One change of users at a time, on all nodes, so that checks and writes see the same state; held to the end of the transaction.
SELECT pg_advisory_xact_lock(hashtext('picloud users'));

-- name: user_insert
-- Create a user; the unique indexes on lower(username) and lower(email) reject duplicates.
INSERT INTO admin_users (id, username, email, password_hash, role)
VALUES ($1, $2, $3, $4, $5)
RETURNING id, username, email, role, is_active, created_at, updated_at, last_login_at;

-- name: user_by_id
-- One user by id.
SELECT id, username, email, role, is_active, created_at, updated_at, last_login_at
FROM admin_users
WHERE id = $1;

-- name: user_by_name
-- One user by name, ignoring case.
SELECT id, username, email, role, is_active, created_at, updated_at, last_login_at
FROM admin_users
WHERE lower(username) = lower($1);

-- name: users_list
-- A page of users, oldest first.
SELECT id, username, email, role, is_active, created_at, updated_at, last_login_at
FROM admin_users
WHERE $1::uuid IS NULL OR id > $1
ORDER BY id
LIMIT $2;

-- name: user_authority
-- The current role of an active user whose key $2 or session $3 is still valid.
SELECT role FROM admin_users
WHERE id = $1 AND is_active
  AND ($2::uuid IS NULL OR EXISTS (SELECT FROM api_keys WHERE id = $2))
  AND ($3::uuid IS NULL OR EXISTS (SELECT FROM admin_sessions WHERE id = $3));

-- name: users_besides
-- The number of active owners, and of active owners and admins, other than one user.
SELECT count(*) FILTER (WHERE role = 'owner') AS owners, count(*) AS managers
FROM admin_users
WHERE is_active AND role IN ('owner', 'admin') AND id <> $1;

-- name: user_update
-- Update every field of a user; a null password keeps the current one.
UPDATE admin_users
SET username = $2, email = $3, role = $4, is_active = $5, password_hash = coalesce($6, password_hash), updated_at = now()
WHERE id = $1
RETURNING id, username, email, role, is_active, created_at, updated_at, last_login_at;

-- name: user_delete
-- Delete a user with their sessions, keys and memberships.
DELETE FROM admin_users WHERE id = $1;

-- name: user_password
-- The password hash of an active user.
SELECT password_hash FROM admin_users WHERE id = $1 AND is_active;

-- name: user_set_password
-- Replace a password, unless it was changed since it was checked.
UPDATE admin_users SET password_hash = $3, updated_at = now() WHERE id = $1 AND password_hash = $2
RETURNING id;

-- name: user_for_login
-- One user by name, ignoring case, with the fields that a log-in checks.
SELECT id, username, role, is_active, password_hash
FROM admin_users
WHERE lower(username) = lower($1);

-- name: user_rehash
-- Store a new hash of the same password, unless the password was changed in the meantime.
UPDATE admin_users SET password_hash = $3 WHERE id = $1 AND password_hash = $2;

-- name: users_exist
-- Whether the instance has a user.
SELECT EXISTS (SELECT FROM admin_users);
