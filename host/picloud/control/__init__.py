"""The control plane: apps, domains, routes, scripts and their settings."""
