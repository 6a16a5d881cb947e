-- name: user_insert
-- Make a user; the unique index on lower(username) refuses a taken name.
INSERT INTO admin_users (id, username, password_hash, role)
VALUES ($1, $2, $3, $4)
RETURNING id, username, role, is_active, created_at, updated_at;

-- name: user_by_name
-- The user of a name, whatever its case, with what a login is checked against.
SELECT id, username, role, is_active, password_hash, created_at, updated_at
FROM admin_users
WHERE lower(username) = lower($1);

-- name: user_set_password
-- Replace the password of a user by name.
UPDATE admin_users SET password_hash = $2, updated_at = now()
WHERE lower(username) = lower($1)
RETURNING id;

-- name: user_rehash
-- Store the same password with today's parameters, unless it was changed meanwhile.
UPDATE admin_users SET password_hash = $3 WHERE id = $1 AND password_hash = $2;

-- name: users_exist
-- Whether the first start is over.
SELECT EXISTS (SELECT FROM admin_users);
