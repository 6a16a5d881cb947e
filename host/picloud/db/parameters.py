"""Connection parameters of the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from picloud.db.unusable import DatabaseUnusable

SOCKET_PORT = 5432


@dataclass(frozen=True, slots=True)
class ConnectionParameters:
    """A database, as asyncpg and the tools of PostgreSQL accept it.

    Attributes:
        url: `postgresql://...`; can contain a password, so it is not in `repr`.
    """

    url: str = field(repr=False)

    @classmethod
    def of_socket(cls, folder: Path, user: str, database: str) -> ConnectionParameters:
        """Parameters of a server that listens on a socket in `folder`."""
        # The port only names the socket; without it a PGPORT in the environment would.
        options = urlencode({"host": str(folder), "port": SOCKET_PORT}, quote_via=quote)
        return cls(f"postgresql://{quote(user)}@/{quote(database)}?{options}")

    @classmethod
    def of_url(cls, url: str) -> ConnectionParameters:
        """Check a URL of the operator (`PICLOUD_DATABASE_URL`).

        Raises:
            DatabaseUnusable: it is not a PostgreSQL URL. The message does not repeat the URL, which can
                contain a password anywhere.
        """
        form = "use the form postgresql://user:password@host:5432/database"
        try:
            parts = urlsplit(url.strip())
            parts.port  # noqa: B018  # a property that raises ValueError if it is not a port
        except ValueError as error:
            raise DatabaseUnusable(f"the database URL is not valid ({error}); {form}") from None
        if parts.scheme not in ("postgresql", "postgres"):
            raise DatabaseUnusable(f"the database URL does not begin with postgresql://; {form}")
        if not parts.path.strip("/") and "dbname=" not in parts.query:
            raise DatabaseUnusable(f"the database URL names no database; {form}")
        return cls(url.strip())

    @property
    def described(self) -> str:
        """The URL without user, password and options, for logs and messages."""
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2] or "a local socket"
        return f"{parts.path.strip('/')} on {host}"

    def of_database(self, name: str) -> ConnectionParameters:
        """The same server and user, but the database `name`: tests and benches take one of their own."""
        return ConnectionParameters(urlunsplit(urlsplit(self.url)._replace(path=f"/{quote(name)}")))

    def __str__(self) -> str:
        return self.described
