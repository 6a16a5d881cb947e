"""What the console says when the server is ready and when it stops."""

from __future__ import annotations

import logging
import sys

from picloud import __version__
from picloud.config import Settings
from picloud.core import logs

_log = logging.getLogger("picloud")
_EVERYWHERE = ("", "0.0.0.0", "::", "127.0.0.1", "::1")  # noqa: S104  # compared, not bound


def ready(settings: Settings, port: int, setup_token: str | None) -> None:
    """Say where the server answers, where its data is, and how to stop it.

    Args:
        settings: the configuration.
        port: what it listens on, also when 0 was asked for.
        setup_token: of the link to make the first owner with, when there is no user.
    """
    host = "localhost" if settings.host in _EVERYWHERE else settings.host
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    admin = url
    if settings.admin_host is not None:
        proxied = bool(settings.trusted_proxies)
        admin = f"https://{settings.admin_host}" if proxied else f"http://{settings.admin_host}:{port}"
    # The one secret that is printed: whoever reads the console owns the machine anyway.
    link = f"{admin}/admin/setup?token={setup_token}" if setup_token else None
    data = "PICLOUD_DATABASE_URL" if settings.database_url else str(settings.data_dir)
    if not logs.is_pretty(settings.log_format, sys.stdout):
        _log.info("ready", extra={"url": url, "data": data, "version": __version__, "port": port})
        if link:
            _log.info(
                "no user yet: make the owner at this link, once, within an hour", extra={"setup_link": link}
            )
        return
    lines = [f"\nPiCloud {__version__} is ready\n", f"  {url}/hello", f"  data in {data}"]
    if link:
        lines += ["", "  No user yet. Make the owner at this link (once, within an hour):", f"  {link}"]
    print("\n".join([*lines, "", "  Ctrl-C stops it.", ""]), flush=True)


def stopping() -> None:
    """Say that running requests are awaited."""
    _log.info("stopping: running requests may finish; a second Ctrl-C cuts them off")
