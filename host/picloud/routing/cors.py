"""Which pages of other origins may call an app (CORS, https://fetch.spec.whatwg.org/#http-cors-protocol)."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from picloud.core.errors import Invalid
from picloud.core.numbers import NotAnInteger, read_integer
from picloud.routing.hosts import host_name, parse_claim
from picloud.routing.pattern import METHODS

MAX_ENTRIES = 100
MAX_AGE_SECONDS = 86_400

NULL = "null"
"""The origin of sandboxed frames and local files."""

_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?#@\s]+)", re.IGNORECASE | re.ASCII)
_PORT = re.compile(r":([0-9]+|\*)$", re.ASCII)
_APP_HOST = re.compile(r"[a-z0-9._-]{1,253}", re.IGNORECASE | re.ASCII)
_NO_ORIGINS = frozenset(("about", "blob", "data", "file", "ftp", "javascript", "ws", "wss"))
_LONGEST = 300  # characters of an origin that is compared with wildcards
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}", re.ASCII)
_DEFAULT_PORTS = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cors:
    """What pages of other origins may do.

    Attributes:
        origins: origins as browsers write them; of http and https also `https://*.example.com` for the hosts
            below a name, and `http://localhost:*` for all ports; `null`; or only `*` for every one.
        methods: methods they can use, or `*`.
        headers: request headers they can set, in lower case, or `*`.
        expose_headers: response headers they can read, in lower case, or `*`.
        credentials: whether cookies and Authorization may come along.
        max_age_seconds: how long a browser can cache the response.
    """

    origins: tuple[str, ...]
    methods: tuple[str, ...] = tuple(method for method in METHODS if method != "OPTIONS")
    headers: tuple[str, ...] = ("authorization", "content-type")
    expose_headers: tuple[str, ...] = ()
    credentials: bool = False
    max_age_seconds: int = 600

    @classmethod
    def parse(cls, settings: Mapping[str, Any]) -> Cors:
        """Check settings as a person gives them.

        Args:
            settings: fields of this class, lists of text where it has tuples; `origins` is needed.

        Returns:
            The settings in the one way they are stored and compared.

        Raises:
            Invalid: one is not valid; `field` says which, `cors.origins` for example.
        """
        if "origins" not in settings:
            raise _invalid("origins", "is required")
        cors = cls(**_tuples(settings))
        cors = cls(
            origins=_each(cors.origins, "origins", _origin),
            methods=_each(cors.methods, "methods", _method),
            headers=_each(cors.headers, "headers", _header),
            expose_headers=_each(cors.expose_headers, "expose_headers", _header),
            credentials=cors.credentials,
            max_age_seconds=cors.max_age_seconds,
        )
        if not cors.origins:
            raise _invalid("origins", "at least one origin is needed; null instead of settings allows none")
        if cors.credentials:
            for field in ("origins", "methods", "headers", "expose_headers"):
                if "*" in getattr(cors, field):
                    raise _invalid(field, "'*' cannot be combined with credentials: browsers reject it")
            if NULL in cors.origins:
                raise _invalid(
                    "origins", "'null' cannot be combined with credentials: any site can send it from a frame"
                )
        if not 0 <= cors.max_age_seconds <= MAX_AGE_SECONDS:
            raise _invalid("max_age_seconds", f"must be from 0 to {MAX_AGE_SECONDS}")
        return cors

    @classmethod
    def stored(cls, settings: Mapping[str, Any] | None) -> Cors | None:
        """Build from stored settings. Args: settings: the JSON of the column, or None."""
        if settings is None:
            return None
        return cls(**_tuples(settings))

    def as_json(self) -> dict[str, Any]:
        """The settings as they are stored and shown."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    def allowed(self, origin: str) -> str | None:
        """Return whether pages of an origin may call.

        Args:
            origin: the Origin header.

        Returns:
            The value of Access-Control-Allow-Origin, or None if the origin is not allowed.
        """
        if "*" in self.origins:
            return "*"
        if origin in self.origins:
            return origin
        wildcards = _wildcards(self.origins)
        if wildcards is not None and len(origin) <= _LONGEST and wildcards.fullmatch(origin):
            return origin
        return None


@functools.lru_cache(1024)
def _wildcards(origins: tuple[str, ...]) -> re.Pattern[str] | None:
    """Return what matches the origins with wildcards; None if there are none."""
    patterns = [
        re.escape(origin).replace(r"//\*\.", r"//(?:[a-z0-9_-]+\.)+").replace(r":\*", r"(?::[0-9]{1,5})?")
        for origin in origins
        if "*" in origin
    ]
    return re.compile("|".join(patterns), re.ASCII) if patterns else None


def _tuples(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}


def _each(values: Sequence[str], field: str, check: Callable[[str, str], str]) -> tuple[str, ...]:
    if len(values) > MAX_ENTRIES:
        raise _invalid(field, f"at most {MAX_ENTRIES} entries")
    checked = tuple(dict.fromkeys(value if value == "*" else check(value, field) for value in values))
    if "*" in checked and len(checked) > 1:
        raise _invalid(field, "'*' stands alone")
    return checked


def _origin(value: str, field: str) -> str:
    value = value.strip()
    if value == NULL:
        return value
    match = _ORIGIN.fullmatch(value)
    if match is None or match[1].lower() in _NO_ORIGINS:
        raise _invalid(
            field,
            f"{value!r} is not an origin; an origin is a scheme and a host, such as 'https://example.com', "
            "'https://*.example.com', 'http://localhost:*' or 'capacitor://localhost'",
        )
    scheme, authority = match[1].lower(), match[2]
    port = _PORT.search(authority)
    host = authority[: port.start()] if port is not None else authority
    name = _web_host(host, value, field) if scheme in _DEFAULT_PORTS else _app_host(host, value, field)
    if port is None:
        return f"{scheme}://{name}"
    number = _port(port[1], value, field)
    return f"{scheme}://{name}" if number == _DEFAULT_PORTS.get(scheme) else f"{scheme}://{name}:{number}"


def _web_host(host: str, value: str, field: str) -> str:
    """A host, or `*.` and a name, as browsers write them."""
    try:
        name = parse_claim(host)
    except Invalid as error:
        raise _invalid(field, f"{value!r}: {error.message}") from None
    below = name.removeprefix("*.")
    if below != host_name(host.removeprefix("*.")):
        raise _invalid(field, f"{value!r} is not an origin; a port is a number or '*'")
    if below != name and "." not in below and below != "localhost":
        raise _invalid(field, f"{value!r} allows too much; at least two labels follow '*.'")
    return name


def _app_host(host: str, value: str, field: str) -> str:
    """The host of an app or an extension, as it is: such schemes have no rules for it."""
    if not _APP_HOST.fullmatch(host):
        raise _invalid(field, f"{value!r} is not an origin; only http and https can have a '*'")
    return host


def _port(text: str, value: str, field: str) -> str:
    if text == "*":
        return text
    try:
        return str(read_integer(text, 1, 65535, exact=True))
    except NotAnInteger:
        raise _invalid(field, f"{value!r}: the port must be from 1 to 65535, or '*'") from None


def _method(value: str, field: str) -> str:
    if value.upper() not in METHODS:
        raise _invalid(field, f"{value!r} is none of {', '.join(METHODS)}")
    return value.upper()


def _header(value: str, field: str) -> str:
    if not _TOKEN.fullmatch(value):
        raise _invalid(field, f"{value!r} is not a header name")
    return value.lower()


def _invalid(field: str, message: str) -> Invalid:
    return Invalid(f"cors.{field}: {message}", field=f"cors.{field}")
