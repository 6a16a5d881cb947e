-- name: change_notify
-- Tell other nodes, with the commit of this transaction, that a topic's tables changed.
SELECT pg_notify($1, $2);
