-- name: seed_claim
-- Take the one right to seed; nothing is returned when it was taken before, ever.
INSERT INTO instance_settings (name, value) VALUES ('seeded', 'true')
ON CONFLICT (name) DO NOTHING
RETURNING name;
