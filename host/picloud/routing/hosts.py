"""Host names: as a request has them, as an app claims them, and as a route names them."""

from __future__ import annotations

import functools
import ipaddress
import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

import idna

from picloud.core.errors import Invalid
from picloud.core.numbers import NotAnInteger, read_integer
from picloud.routing.pattern import NAME

MAX_HOST = 253

HostKind: TypeAlias = Literal["any", "strict", "wildcard"]

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NAME = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*", re.ASCII)
_COLON = "a host stands here alone, without scheme and port: example.com"
_LONGEST_HEADER = 1024  # longer than any name in any spelling


@dataclass(frozen=True, slots=True)
class HostPattern:
    """The hosts that a route matches.

    Attributes:
        kind: "any" host of its app, one host ("strict"), or every host below a name ("wildcard").
        name: the host, or the name the others are below; empty for "any".
        parameter: what the labels left of the name are bound to, or None.
    """

    kind: HostKind
    name: str = ""
    parameter: str | None = None

    def __str__(self) -> str:
        """The canonical text: `parse_host` gives the pattern back."""
        if self.parameter is not None:
            return f":{self.parameter}.{self.name}"
        return self.shape

    @property
    def shape(self) -> str:
        """What it matches, in the form of a claim, or "any"."""
        if self.kind == "any":
            return "any"
        return self.name if self.kind == "strict" else f"*.{self.name}"


ANY_HOST = HostPattern("any")


def host_name(header: str) -> str:
    """Reduce a Host header to the name that claims and routes are compared with.

    Args:
        header: the header's value, for example `API.example.com:8080` or `[::1]:80`; bytes that are not
            UTF-8 as surrogate escapes.

    Returns:
        The host in lower case, without port and without the root's trailing dot, a name in other scripts
        as IDNA writes it and an IPv6 address in brackets and as short as it can be. Empty for what is no
        host.
    """
    if len(header) > _LONGEST_HEADER:
        return ""
    if header.startswith("["):
        inside, bracket, after = header[1:].partition("]")
        if not bracket or after[:1] not in ("", ":") or not _is_port(after[1:]):
            return ""
        return _ipv6(inside)
    host, _, port = header.partition(":")
    if not _is_port(port):
        return ""
    name = _ascii(host).removesuffix(".")
    return name if len(name) <= MAX_HOST and _NAME.fullmatch(name) else ""


def parse_claim(pattern: str) -> str:
    """Check and normalise a claim.

    Args:
        pattern: a host as a person writes it, or `*.` and the name that the hosts are below; no port.

    Returns:
        The pattern in the one way it is written: for a host what `host_name` gives for a request to it.

    Raises:
        Invalid: it is not a host; the message says why.
    """
    text = pattern.strip()
    if text.startswith("*."):
        return f"*.{_below(text[2:], 'pattern')}"
    if "*" in text:
        raise Invalid("a '*' stands first and for whole labels, as in '*.example.com'", field="pattern")
    return _host(text, "pattern")


def parse_host(host: str) -> HostPattern:
    """Read the host part of a route.

    Args:
        host: `any`, a host, `*.example.com` or `:tenant.example.com`.

    Returns:
        The pattern.

    Raises:
        Invalid: it is none of these; the message says why.
    """
    text = host.strip()
    if text == "any":
        return ANY_HOST
    if text.startswith("*."):
        return HostPattern("wildcard", _below(text[2:], "host"))
    if "*" in text:
        raise Invalid("a '*' stands first and for whole labels, as in '*.example.com'", field="host")
    if text.startswith(":") and not text.startswith("::"):
        name, dot, below = text[1:].partition(".")
        if not NAME.fullmatch(name):
            raise Invalid(
                "a parameter is ':' and a name: up to 64 letters, digits and underscores, not a digit first",
                field="host",
            )
        if not dot:
            raise Invalid("a host parameter stands before a name, as in ':tenant.example.com'", field="host")
        return HostPattern("wildcard", _below(below, "host"), name)
    return HostPattern("strict", _host(text, "host"))


def covering(shape: str) -> list[str]:
    """Every claim that a host, or every host below a name, lies in.

    Args:
        shape: a claim: a host, or `*.` and a name.

    Returns:
        Claims, the most specific first; the first is `shape` itself.
    """
    claims = [shape]
    name = shape.removeprefix("*.")
    if not name.startswith("[") and not _ends_in_a_number(name):
        while "." in name:
            name = name.partition(".")[2]
            claims.append(f"*.{name}")
    return claims


def _host(text: str, field: str) -> str:
    """A host, normalised."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if ":" in bare:
        address = _ipv6(bare)
        if not address:
            raise Invalid(_COLON, field=field)
        return address
    return _name(text, field)


def _below(text: str, field: str) -> str:
    """A name that others are below, normalised."""
    if ":" in text:
        raise Invalid(_COLON, field=field)
    name = _name(text, field)
    if _ends_in_a_number(name):
        raise Invalid("there are no hosts below an IP address", field=field)
    return name


def _name(text: str, field: str) -> str:
    host = _ascii(text).removesuffix(".")
    if not host or len(host) > MAX_HOST or not all(map(_is_label, host.split("."))):
        raise Invalid("this is not a host name", field=field)
    if _ends_in_a_number(host):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise Invalid("a host that ends in a number is an IPv4 address or nothing", field=field) from None
    return host


def _is_label(label: str) -> bool:
    if not _LABEL.fullmatch(label):
        return False
    if not label.startswith("xn--"):
        return True
    try:
        return idna.alabel(idna.ulabel(label)) == label.encode()
    except UnicodeError:
        return False


def _ascii(host: str) -> str:
    """A name in lower case, other scripts as IDNA (UTS 46) writes them; empty when it cannot."""
    if host.isascii():
        return host.lower()
    try:
        labels = idna.uts46_remap(host, std3_rules=False).split(".")
        return ".".join(label if label.isascii() else idna.alabel(label).decode() for label in labels)
    except UnicodeError:
        return ""


def _ipv6(text: str) -> str:
    """An IPv6 address in brackets, in the one way it is written; empty when it is none."""
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return ""
    return "" if address.scope_id else f"[{address}]"


def _ends_in_a_number(name: str) -> bool:
    """Whether a browser would take it for an IPv4 address (WHATWG URL, host parsing)."""
    return name.rpartition(".")[2].isdigit()


@functools.lru_cache(256)
def _is_port(text: str) -> bool:
    """Report whether a Host header can end with this; the port may be empty (RFC 3986, 3.2.3)."""
    try:
        return not text or read_integer(text, maximum=65535) >= 0
    except NotAnInteger:
        return False
