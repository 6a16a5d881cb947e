-- name: setup_link_insert
-- Store a new link and delete expired ones.
WITH swept AS (DELETE FROM setup_links WHERE expires_at <= now())
INSERT INTO setup_links (token_hash, expires_at) VALUES ($1, now() + $2::interval);

-- name: setup_link_good
-- Whether a link is valid.
SELECT EXISTS (SELECT FROM setup_links WHERE token_hash = $1 AND expires_at > now())
   AND NOT EXISTS (SELECT FROM admin_users);

-- name: setup_links_delete
-- Delete all links, once the first user exists.
DELETE FROM setup_links;
