-- name: change_notify
-- Notify other nodes, at the commit of this transaction, that a topic's tables changed.
SELECT pg_notify($1, $2);
