"""Checks on request heads beyond the parser's: rejects what two servers could interpret differently."""

from __future__ import annotations

import functools
import re

from aiohttp import HttpVersion10, HttpVersion11, hdrs
from aiohttp.http import RawRequestMessage
from multidict import CIMultiDict, CIMultiDictProxy, MultiMapping
from yarl import URL

from picloud.core.errors import BadRequest, BodyTooLarge, MethodNotAllowed
from picloud.core.numbers import NotAnInteger, OutOfRange, read_integer
from picloud.sandbox.limits import FIXED

_MAX_BODY = FIXED["max_request_body"]
_METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
_UNSUPPORTED = frozenset({hdrs.METH_CONNECT, hdrs.METH_TRACE})
# In addition to those that the parser checks (aiohttp's SINGLETON_HEADERS).
_SINGLE = (
    hdrs.ACCESS_CONTROL_REQUEST_METHOD,
    hdrs.AUTHORIZATION,
    hdrs.EXPECT,
    hdrs.FROM,
    hdrs.IF_MODIFIED_SINCE,
    hdrs.IF_RANGE,
    hdrs.IF_UNMODIFIED_SINCE,
    hdrs.ORIGIN,
    hdrs.PROXY_AUTHORIZATION,
    hdrs.RANGE,
    hdrs.REFERER,
)
_HOST = re.compile(r"[^\x00-\x20\"#/<>?@\\^`{|}\x7f]*")  # routing checks the name itself


def validate_head(message: RawRequestMessage) -> RawRequestMessage:
    """Validate a request head.

    Args:
        message: the parsed head.

    Returns:
        The message. A target in absolute form is split (RFC 9112, 3.2.2): its path becomes the target and
        its authority the Host header. So every target begins with a slash.

    Raises:
        BadRequest, MethodNotAllowed, BodyTooLarge: the head is rejected.
    """
    headers, target = message.headers, message.path
    if message.version is not HttpVersion11 and message.version != HttpVersion10:
        raise BadRequest("the HTTP version must be 1.1 or 1.0")
    if len(set(headers)) != len(headers):  # the parser gives known names one spelling
        _reject_repeated(headers)
    if message.method in _UNSUPPORTED:
        raise MethodNotAllowed(_METHODS)
    if message.chunked or hdrs.TRANSFER_ENCODING in headers:
        _validate_encoding(message)
    length = headers.get(hdrs.CONTENT_LENGTH)
    if length is not None:
        _validate_length(length)
    if not target.startswith("/"):
        message = _in_origin_form(message)
    elif "#" in target:
        raise BadRequest("the request target must not have a fragment")
    if not _is_authority(headers.get(hdrs.HOST, "")):
        raise BadRequest("the Host header is not a valid host")
    return message


@functools.lru_cache(1024)
def _is_authority(text: str) -> bool:
    return _HOST.fullmatch(text) is not None


def _reject_repeated(headers: MultiMapping[str]) -> None:
    """Reject a repeated header that has one value: of several, another server could use another one."""
    for name in _SINGLE:
        if len(headers.getall(name, ())) > 1:
            raise BadRequest(f"the header {name} must not be repeated")


@functools.lru_cache(1024)
def content_length(text: str) -> int:
    """Read a Content-Length. Raises: NotAnInteger: it is not a number."""
    return read_integer(text)


def _validate_length(text: str) -> None:
    try:
        if content_length(text) > _MAX_BODY:
            raise OutOfRange
    except OutOfRange:
        raise BodyTooLarge(
            f"the body has {text} bytes, above the limit of {_MAX_BODY}", limit=_MAX_BODY
        ) from None
    except NotAnInteger:
        raise BadRequest("the Content-Length is not a number of at most 20 digits") from None


def _validate_encoding(message: RawRequestMessage) -> None:
    if message.version == HttpVersion10:
        raise BadRequest("HTTP/1.0 does not allow Transfer-Encoding")
    if message.headers[hdrs.TRANSFER_ENCODING].lower() != "chunked":
        raise BadRequest("the only supported Transfer-Encoding is chunked")


def _in_origin_form(message: RawRequestMessage) -> RawRequestMessage:
    scheme, found, rest = message.path.partition("://")
    if not found or scheme.lower() not in ("http", "https"):
        raise BadRequest("the request target is neither a path nor an http(s) URL")
    authority, path = re.fullmatch(r"([^/?#]*)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
    if "@" in authority or "#" in path:
        raise BadRequest("the request target must not have a user or a fragment")
    target = path if path.startswith("/") else f"/{path}"
    headers = CIMultiDict(message.headers)
    headers[hdrs.HOST] = authority
    before, _, query = target.partition("?")
    url = URL.build(path=before, query_string=query, encoded=True)
    return message._replace(path=target, url=url, headers=CIMultiDictProxy(headers))
