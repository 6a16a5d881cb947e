"""Executions: admission, a run in the sandbox, a record."""
