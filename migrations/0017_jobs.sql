-- Background jobs that run on one worker of all nodes: when each is due. While one runs, that is the end of its lease.
CREATE TABLE jobs (
    name   text PRIMARY KEY,
    due_at timestamptz NOT NULL DEFAULT now()
);
