"""Variables of the commands that talk to a server over its API; a server ignores them."""

CLIENT_VARIABLES = {
    "PICLOUD_URL": "The server, instead of that of the last `picloud login`.",
    "PICLOUD_TOKEN": "The API key, instead of that of the login.",
    "PICLOUD_APP": "The app, where `--app` is not given.",
}
"""Name -> help."""
