"""Parses the URLs of requests strictly, before any library sees them.

An ambiguous URL is denied, because the next parser could read it differently.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
from dataclasses import dataclass, replace
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import quote

import idna

from picloud.core.numbers import NotAnInteger, OutOfRange, read_integer
from picloud.services.outbound.errors import Denied

MAX_URL = 8192
MAX_HOST = 253
DEFAULT_PORTS = {"http": 80, "https": 443}

_URL = re.compile(r"(https?)://([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]*)(?::(.*))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_UNCLEAR = re.compile(r"[\x00-\x20\x7f-\xa0\\\u2028\u2029\ud800-\udfff]")
_ENCODED = re.compile(r"[\x20\x80-\xa0\u2028\u2029\udc80-\udcff]")
_WHITE_SPACE = " \t\r\n\x0b\x0c\x85\xa0\u2028\u2029"
_BEFORE_PATH = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?(?://[^/?#]*)?")
_PATH_SAFE = "%!$&'()*+,;=:@/-._~"
_QUERY_SAFE = _PATH_SAFE + "?[]"


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL that is allowed before the lookup of its host.

    Attributes:
        scheme: "http" or "https".
        host: lower-case ASCII name, or canonical address, IPv6 without brackets.
        port: 1 to 65,535.
        path: percent-encoded, from the first "/".
        query: percent-encoded, from the "?", or "".
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port; credentials are not sent to another origin."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """Host, and the port unless it is the default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}{self.query}"


@dataclass(frozen=True, slots=True)
class Targets:
    """The rule for URLs.

    Attributes:
        denied_ports: denied ports from 1024; below 1024 only 80 and 443 are allowed.
    """

    denied_ports: Container[int] = ()

    def parse(self, url: str) -> Destination:
        """Parse an absolute URL. The fragment is dropped; characters are percent-encoded as needed.

        Args:
            url: from a script or a redirect.

        Raises:
            Denied: it is not valid or denied.
        """
        if len(url) > MAX_URL:
            raise Denied("url", f"the URL is longer than {MAX_URL} characters")
        _check_characters(url, "the URL")
        match = _URL.fullmatch(url)
        if match is None:
            other = _SCHEME.match(url)
            if other is not None and "//" in url and other[0].lower() not in ("http:", "https:"):
                raise Denied("url", f"the scheme {other[0][:20]} is not allowed; use http: or https:")
            raise Denied("url", "the URL must start with http:// or https:// and a host")
        scheme, authority, path, query = match.groups("")
        scheme, query = scheme.lower(), query if query != "?" else ""
        if "@" in authority:
            raise Denied("url", "the URL contains a user or password; send an Authorization header")
        host, port = _split(authority)
        if not host:
            raise Denied("url", "the URL has no host")
        try:
            number = DEFAULT_PORTS[scheme] if port is None else read_integer(port, 1, 65535, exact=True)
        except OutOfRange:
            raise Denied("url", "the port of the URL must be from 1 to 65535") from None
        except NotAnInteger:
            raise Denied("url", "the port of the URL is not an integer without leading zeros") from None
        target = Destination(
            scheme, _host(host), number, quote(path, _PATH_SAFE) or "/", quote(query, _QUERY_SAFE)
        )
        if (number < 1024 and number not in (80, 443)) or number in self.denied_ports:
            raise Denied("port", f"port {number} is not open to scripts", target.authority)
        return target

    def follow(self, base: Destination, location: str) -> Destination:
        """Parse the target of a redirect.

        White space around it is dropped. White space and bytes that are not ASCII are percent-encoded after
        the host, as browsers do (WHATWG URL, section 4.4; raw bytes as they are).

        Args:
            base: the URL of the response.
            location: the Location header; bytes that are not UTF-8 as surrogates (`surrogateescape`).

        Raises:
            Denied: it is not valid or denied.
        """
        location = _encoded(location.strip(" \t"))
        _check_characters(location, "the URL of the redirect")
        if _SCHEME.match(location):
            return self.parse(location)
        if location.startswith("//"):
            return self.parse(f"{base.scheme}:{location}")
        reference, _, _ = location.partition("#")
        path, mark, query = reference.partition("?")
        if not path:
            query = f"?{query}" if mark else base.query
            path = base.path
        else:
            path, query = _merge(base.path, path), mark + query
        return self.parse(str(replace(base, path=path, query=query)))


def _check_characters(url: str, what: str) -> None:
    """Check that a URL has no character that parsers skip or read differently."""
    found = _UNCLEAR.search(url)
    if found is None:
        return
    match found[0]:
        case "\\":
            raise Denied("url", f"{what} contains a backslash")
        case character if character in _WHITE_SPACE:
            raise Denied("url", f"{what} contains white space; write a space as %20")
        case character if "\ud800" <= character <= "\udfff":
            raise Denied("url", f"{what} contains bytes that are not UTF-8")
        case _:
            raise Denied("url", f"{what} contains a control character")


def _encoded(location: str) -> str:
    """Percent-encode white space and raw bytes after the host of a redirect."""
    before = _BEFORE_PATH.match(location)
    start = 0 if before is None else before.end()
    path = _ENCODED.sub(lambda found: quote(found[0], "", errors="surrogateescape"), location[start:])
    return location[:start] + path


def _split(authority: str) -> tuple[str, str | None]:
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise Denied("url", "the URL has an invalid host or port")
    return match[1], match[2]


def _host(text: str) -> str:
    """Return the canonical host; an unusual spelling of an address is denied."""
    if text.startswith("["):
        try:
            if "%" in text:  # a zone, which Python would accept
                raise AddressValueError(text)
            return str(IPv6Address(text[1:-1]))
        except AddressValueError:
            raise Denied("url", "the URL has an invalid IPv6 address") from None
    # A name is never shorter in ASCII, so a longer one is not parsed.
    labels = [_label(label) for label in text.split(".")] if len(text) <= MAX_HOST else []
    host = ".".join(labels)
    if not labels or len(host) > MAX_HOST:
        raise Denied("url", "the host of the URL is too long")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(host))
        except AddressValueError:
            raise Denied("url", "the host of the URL is an invalid IPv4 address") from None
    return host


def _label(text: str) -> str:
    label = text.lower()
    if not text.isascii():
        # Only capitals are mapped, nothing is dropped: full-width digits are not digits.
        try:
            label = idna.encode(label[:64]).decode() if unicodedata.is_normalized("NFC", text) else ""
        except UnicodeError:
            label = ""
        if not label.startswith("xn--"):  # a dot of another script would make several labels
            label = ""
    if not _LABEL.fullmatch(label):
        raise Denied("url", "the URL has an invalid host name")
    return label


def _merge(base: str, path: str) -> str:
    """Resolve a relative path (RFC 3986, section 5.2)."""
    segments = (path if path.startswith("/") else base.rpartition("/")[0] + "/" + path).split("/")[1:]
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            kept = kept[:-1]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)
