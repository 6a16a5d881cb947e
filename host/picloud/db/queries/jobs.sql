-- name: job_claim
-- Lease a job for $2 if it is due; returns when it was due, or no row for an unknown job.
WITH claimed AS (
    UPDATE jobs SET due_at = now() + $2::interval WHERE name = $1 AND due_at <= now() RETURNING name
)
SELECT EXISTS (SELECT FROM claimed) AS claimed, extract(epoch FROM due_at - now())::float8 AS due_in
FROM jobs WHERE name = $1;

-- name: job_add
-- Insert a job that is due now.
INSERT INTO jobs (name) VALUES ($1) ON CONFLICT DO NOTHING;

-- name: job_due_in
-- Set when a job is due: after its lease was renewed, or its run has ended.
UPDATE jobs SET due_at = now() + $2::interval WHERE name = $1;
