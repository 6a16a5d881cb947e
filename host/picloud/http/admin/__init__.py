"""The admin API: one file per resource, each a table of endpoints."""
