-- name: attempt_count
-- Count an attempt and set the wait after it; returns no row while a wait is active. $2 attempts are free, then waits double up to $3 seconds; after $4 without an attempt the count restarts. The clock is read when the row is locked, not at the start of the statement: otherwise the second of two concurrent attempts would see a wait.
INSERT INTO login_attempts AS known (key, count, not_before, last_at)
VALUES ($1, 1, clock_timestamp() + CASE WHEN $2::integer < 1 THEN least(1, $3::float8) ELSE 0 END * interval '1 second', clock_timestamp())
ON CONFLICT (key) DO UPDATE SET (count, not_before, last_at) = (
    SELECT n, clock_timestamp() + CASE WHEN n > $2 THEN least(2.0 ^ least(n - $2 - 1, 30), $3) ELSE 0 END * interval '1 second', clock_timestamp()
    FROM (SELECT CASE WHEN known.last_at < clock_timestamp() - $4::interval THEN 1 ELSE known.count + 1 END AS n) AS counted
)
WHERE known.not_before <= clock_timestamp()
RETURNING count;

-- name: attempt_wait
-- Whole seconds until the next attempt is allowed.
SELECT ceil(extract(epoch FROM not_before - clock_timestamp()))::integer FROM login_attempts WHERE key = $1;

-- name: attempts_forget
-- Reset the count.
DELETE FROM login_attempts WHERE key = $1;

-- name: attempt_uncount
-- Undo one attempt and the wait it caused.
UPDATE login_attempts SET count = greatest(count - 1, 0), not_before = clock_timestamp() WHERE key = $1;
