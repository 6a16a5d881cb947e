-- Apps: former slugs.
SELECT 1;
