"""Variables of the commands that talk to a server over its API; a server ignores them."""

CLIENT_VARIABLES = {
    "PICLOUD_URL": "The server; by default that of the last `picloud login`.",
    "PICLOUD_TOKEN": "The API key; by default that of the last login to the server.",
    "PICLOUD_APP": "The app, if `--app` is not given.",
}
"""Name -> help."""
