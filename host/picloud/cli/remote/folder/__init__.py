"""An app as a folder: `picloud.toml` and `.rhai` files, what a server has of it, and the way between."""
