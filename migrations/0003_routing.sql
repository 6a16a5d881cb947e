-- Routing: patterns of every kind.
SELECT 1;
