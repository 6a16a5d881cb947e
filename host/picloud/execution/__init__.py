"""Executions: a permit, a run in the sandbox, a record."""
