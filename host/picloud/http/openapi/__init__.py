"""The description of this HTTP API, made from the tables that serve it."""
