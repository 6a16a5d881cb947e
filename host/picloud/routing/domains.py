"""Host -> app: which app claims the host of a request."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from uuid import UUID

from picloud.errors import Invalid

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)


def host_name(header: str) -> str:
    """Reduce a Host header to the name that claims are compared with.

    Args:
        header: the header's value, for example `API.example.com:8080` or `[::1]:80`.

    Returns:
        The host in lower case, without port and without the root's trailing dot.
    """
    host = header
    if host.startswith("["):
        host = host[: host.find("]") + 1] or host
    elif ":" in host:
        host = host[: host.index(":")]
    return host.lower().removesuffix(".")


def parse_claim(pattern: str) -> str:
    """Check and normalise the host an app wants to claim.

    Args:
        pattern: an exact host as a person writes it; no port.

    Returns:
        The host as `host_name` gives it for a request to it.

    Raises:
        Invalid: it is no host name and no IP address, or a wildcard.
    """
    host = pattern.strip().lower().removesuffix(".")
    if "*" in host:
        raise Invalid("only exact hosts can be claimed; a wildcard cannot yet", field="pattern")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return f"[{address}]" if address.version == 6 else str(address)
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            raise Invalid("this is not a host name", field="pattern") from None
    if ":" in host:
        raise Invalid("a claim has no port: the port of a request is ignored", field="pattern")
    if not host or len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise Invalid("this is not a host name", field="pattern")
    return host


class DomainTable:
    """All claims of the instance, made once from the database's rows and never changed."""

    __slots__ = ("_exact",)

    def __init__(self, claims: Iterable[tuple[str, UUID]]) -> None:
        """Make the table.

        Args:
            claims: pairs of normalised host and the app that claims it.
        """
        self._exact = dict(claims)

    def find(self, header: str) -> UUID | None:
        """Find the app for a request.

        Args:
            header: the Host header as it came.

        Returns:
            The app that claims it, or None.
        """
        exact = self._exact
        # Most clients send the name as it was claimed; only then is there nothing to normalise.
        return exact.get(header) or exact.get(host_name(header))
