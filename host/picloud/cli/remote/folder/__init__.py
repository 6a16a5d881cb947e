"""Apps as folders: `picloud.toml` and `.rhai` files, and their sync with a server."""
