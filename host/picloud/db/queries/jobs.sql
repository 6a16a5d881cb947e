-- name: job_claim
-- Take a job on lease ($2) if it is due, and tell when it was; no row where the job is not known yet.
WITH claimed AS (
    UPDATE jobs SET due_at = now() + $2::interval WHERE name = $1 AND due_at <= now() RETURNING name
)
SELECT EXISTS (SELECT FROM claimed) AS claimed, extract(epoch FROM due_at - now())::float8 AS due_in
FROM jobs WHERE name = $1;

-- name: job_add
-- Make a job known; it is due.
INSERT INTO jobs (name) VALUES ($1) ON CONFLICT DO NOTHING;

-- name: job_due_in
-- Let a job be due after this long: its lease was renewed, or its run has ended.
UPDATE jobs SET due_at = now() + $2::interval WHERE name = $1;
