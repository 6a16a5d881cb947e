"""Console output when the server is ready and when it stops."""

from __future__ import annotations

import logging
import sys

from picloud import __version__
from picloud.config import Settings
from picloud.core import logs
from picloud.server.memory import summary

_log = logging.getLogger("picloud")
_EVERYWHERE = ("", "0.0.0.0", "::", "127.0.0.1", "::1")  # noqa: S104  # compared, not bound


def ready(settings: Settings, port: int, setup_token: str | None) -> None:
    """Print the address of the server, the location of its data, and how to stop it.

    Args:
        settings: the configuration.
        port: the port it listens on, even if the setting is 0.
        setup_token: the token of the setup link, if there is no user yet.
    """
    host = "localhost" if settings.host in _EVERYWHERE else settings.host
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    admin = url
    if settings.admin_host is not None:
        proxied = bool(settings.trusted_proxies)
        admin = f"https://{settings.admin_host}" if proxied else f"http://{settings.admin_host}:{port}"
    # The only secret that is printed: users who can read the console have full access anyway.
    link = f"{admin}/admin/setup?token={setup_token}" if setup_token else None
    data = "PICLOUD_DATABASE_URL" if settings.database_url else str(settings.data_dir)
    memory = summary(settings)
    if not logs.is_pretty(settings.log_format, sys.stdout):
        facts = {"url": url, "data": data, "version": __version__, "port": port, "memory": memory}
        _log.info("ready", extra=facts)
        if link:
            _log.info(
                "no user yet; open the link to create the owner: it works once and expires in an hour",
                extra={"setup_link": link},
            )
        return
    lines = [f"\nPiCloud {__version__} is ready\n", f"  {url}/hello", f"  data in {data}", f"  {memory}"]
    if link:
        lines += [
            "",
            "  No user yet. Create the owner (the link works once and expires in an hour):",
            f"  {link}",
        ]
    print("\n".join([*lines, "", "  Press Ctrl-C to stop.", ""]), flush=True)


def stopping() -> None:
    """Log that the server waits for running requests."""
    _log.info("stopping after running requests have finished; press Ctrl-C again to abort them")
