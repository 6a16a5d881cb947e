"""Kinds of settings: how a value is read from text, and how it is described."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from picloud.config.ports import Ports
from picloud.core.errors import Invalid
from picloud.routing.hosts import parse_host


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value, as the annotation of a field of `Settings`.

    Attributes:
        accepts: what is accepted, for messages and the reference page.
        parse: turns text into the value; raises ValueError for any other text.
    """

    accepts: str
    parse: Callable[[str], object]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Parse text, then let pydantic check the type."""
        return core_schema.no_info_before_validator_function(self._parse_text, handler(source))

    def _parse_text(self, value: object) -> object:
        return self.parse(value) if isinstance(value, str) else value


def integer(minimum: int, maximum: int | None = None) -> Kind:
    """An integer from `minimum` to `maximum` (both included; None: no maximum)."""

    def parse(text: str) -> int:
        value = int(text.replace("_", ""))
        if value < minimum or (maximum is not None and value > maximum):
            raise ValueError(text)
        return value

    return Kind(
        f"an integer from {minimum:,} to {maximum:,}" if maximum else f"an integer, {minimum:,} or more",
        parse,
    )


def number(minimum: float, maximum: float | None = None) -> Kind:
    """A number from `minimum` to `maximum` (both included; None: no maximum)."""

    def parse(text: str) -> float:
        value = float(text)
        if not minimum <= value < float("inf") or (maximum is not None and value > maximum):
            raise ValueError(text)
        return value

    return Kind(
        f"a number, {minimum:g} or more" if maximum is None else f"a number from {minimum:g} to {maximum:g}",
        parse,
    )


def one_of(*words: str) -> Kind:
    """One of the words, case-insensitive."""

    def parse(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(text)
        return text.lower()

    return Kind("one of " + ", ".join(words), parse)


def _share(text: str) -> float | int:
    """A fraction ("0.5", "50%") as float, or a plain count of executions ("16") as int."""
    if re.fullmatch(r"\d+", text) and int(text) >= 1:
        return int(text)
    fraction = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if not 0 < fraction <= 1:
        raise ValueError(text)
    return fraction


def _postgres_url(text: str) -> str:
    """A connection URL; the driver checks everything after the scheme."""
    if urlsplit(text).scheme not in ("postgres", "postgresql"):
        raise ValueError(text)
    return text


def _string(text: str) -> str:
    if "\0" in text:
        raise ValueError(text)
    return text


def _host(text: str) -> str:
    """A host, normalized like the hosts of domains and requests."""
    try:
        host = parse_host(text)
    except Invalid as error:
        raise ValueError(text) from error
    if host.kind != "strict":
        raise ValueError(text)
    return host.name


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Addresses and networks; a network with host bits set is rejected as a mistake."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


_ON, _OFF = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})


def _switch(text: str) -> bool:
    if text.lower() in _ON:
        return True
    if text.lower() in _OFF:
        return False
    raise ValueError(text)


def _app_slug(text: str) -> str | None:
    if text == "-":
        return None
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", text):
        raise ValueError(text)
    return text


def _ports(text: str) -> tuple[Ports, ...]:
    return tuple(Ports.parse(part.strip()) for part in text.split(",") if part.strip())


def _servers(text: str) -> tuple[str, ...]:
    """Addresses with or without a port, as "10.0.0.53", "127.0.0.1:5353", "[::1]:5353"."""
    servers = []
    for part in filter(None, map(str.strip, text.split(","))):
        match = re.fullmatch(r"\[([^]]*)\](?::(\d{1,5}))?|([^:]*)(?::(\d{1,5}))?|(.*)", part)
        if match is None or "%" in part:
            raise ValueError(text)
        address, port = ip_address(match[1] or match[3] or match[5]), match[2] or match[4] or "53"
        host = str(address) if address.version == 4 else f"[{address}]"
        servers.append(f"{host}:{Ports.parse(port)}")
    return tuple(servers)


def _token(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._~+/=-]{16,256}", text):  # RFC 6750, section 2.1
        raise ValueError(text)
    return text


def _names(text: str) -> tuple[str, ...]:
    names = tuple(filter(None, map(str.strip, text.split(","))))
    if not all(re.fullmatch(r"[\w.-]*[^\W_][\w.-]*", name) and len(name) <= 64 for name in names):
        raise ValueError(text)
    return names


HOST = Kind("a host without port, such as cloud.example.com", _host)
STRING = Kind("a string", _string)
TOKEN = Kind("16 to 256 letters, digits and any of ._~+/=-", _token)
FOLDER = Kind("a folder", lambda text: Path(_string(text)).expanduser())
POSTGRES_URL = Kind("a postgresql:// URL", _postgres_url)
SHARE = Kind("a fraction such as 0.5 or 50%, or a number of executions such as 16", _share)
SWITCH = Kind("true or false (also 1, yes, on or 0, no, off)", _switch)
APP_SLUG = Kind("the slug of an app, or - for none", _app_slug)
NAMES = Kind("names with commas between, such as password, api_key", _names)
PORTS = Kind("ports and ranges with commas between, such as 5432, 6665-6669", _ports)
SERVERS = Kind("addresses with commas between, such as 10.0.0.53, 127.0.0.1:5353, [::1]:53", _servers)
NETWORKS = Kind("addresses and networks with commas between, such as 127.0.0.1, 10.1.0.0/16, ::1", _networks)
