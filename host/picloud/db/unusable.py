"""Why PiCloud cannot start on this database, in words for the operator."""

from __future__ import annotations


class DatabaseUnusable(Exception):
    """The database cannot be used as it is; the text says why and what mends it.

    Raised while starting only, so it is no `PicloudError`: no HTTP client ever sees it, the command
    line prints it and ends. The text may name files and users, and never holds a password.
    """
