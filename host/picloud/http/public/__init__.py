"""The data plane: routes, execution by id, responses of scripts."""
