"""Why PiCloud cannot start on this database, in words for the operator."""

from __future__ import annotations


class DatabaseUnusable(Exception):
    """The database cannot be used; the message says why and what to do.

    Raised only at start, so it is not a `PicloudError`: no HTTP client sees it, the command
    line prints it and ends. The text may name files and users, and never holds a password.
    """
