"""The database: the embedded server, the pool, named queries, migrations and notifications."""
