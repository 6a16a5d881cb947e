"""What callers of scripts meet: routes, execution by id, answers."""
