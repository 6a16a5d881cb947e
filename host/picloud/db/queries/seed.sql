-- name: seed_claim
-- Claim the right to seed the instance, once; returns no row if it was claimed before.
INSERT INTO instance_settings (name, value) VALUES ('seeded', 'true')
ON CONFLICT (name) DO NOTHING
RETURNING name;
