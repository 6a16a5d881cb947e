"""The head of a request: what two servers could read in two ways is refused, beyond what the parser does."""

from __future__ import annotations

import functools
import re

from aiohttp import HttpVersion10, HttpVersion11, hdrs
from aiohttp.http import RawRequestMessage
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from picloud.core.errors import BadRequest, BodyTooLarge, HeadTooLarge, MethodNotAllowed
from picloud.sandbox.limits import FIXED

_MAX_BODY = FIXED["max_request_body"]
_METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
_NEVER = frozenset({hdrs.METH_CONNECT, hdrs.METH_TRACE})
_HOST = re.compile(r"[^\x00-\x20\"#/<>?@\\^`{|}\x7f]*")  # that it is a name is for routing to judge


def validate_head(message: RawRequestMessage, most: int | None) -> RawRequestMessage:
    """Judge a head.

    Args:
        message: the head as it was parsed.
        most: bytes it may have, where it might have more.

    Returns:
        The message; from a target in absolute form, what that means (RFC 9112, 3.2.2): its path is the
        target, its authority the Host header. So every target begins with a slash.

    Raises:
        BadRequest, MethodNotAllowed, HeadTooLarge, BodyTooLarge: it is refused.
    """
    headers, target = message.headers, message.path
    if message.version is not HttpVersion11 and message.version != HttpVersion10:
        raise BadRequest("this is no request of HTTP/1.1 or HTTP/1.0")
    if most is not None and sum(len(name) + len(value) + 4 for name, value in message.raw_headers) > most:
        raise HeadTooLarge(f"the headers of the request have more than {most} bytes")
    if message.method in _NEVER:
        raise MethodNotAllowed(_METHODS)
    if message.chunked or hdrs.TRANSFER_ENCODING in headers:
        _validate_encoding(message)
    length = headers.get(hdrs.CONTENT_LENGTH)
    if length is not None and int(length) > _MAX_BODY:
        raise BodyTooLarge(
            f"the body has {int(length)} bytes, above the limit of {_MAX_BODY}", limit=_MAX_BODY
        )
    if not target.startswith("/"):
        message = _in_origin_form(message)
    elif "#" in target:
        raise BadRequest("the request's target has a fragment")
    if not _is_host(headers.get(hdrs.HOST, "")):
        raise BadRequest("the request's Host header is no host")
    return message


@functools.lru_cache(1024)
def _is_host(text: str) -> bool:
    return _HOST.fullmatch(text) is not None


def _validate_encoding(message: RawRequestMessage) -> None:
    if message.version == HttpVersion10:
        raise BadRequest("HTTP/1.0 has no Transfer-Encoding")
    if message.headers[hdrs.TRANSFER_ENCODING].lower() != "chunked":
        raise BadRequest("the only Transfer-Encoding that is known here is chunked")


def _in_origin_form(message: RawRequestMessage) -> RawRequestMessage:
    scheme, found, rest = message.path.partition("://")
    if not found or scheme.lower() not in ("http", "https"):
        raise BadRequest("the request's target is neither a path nor a URL of this server")
    authority, path = re.fullmatch(r"([^/?#]*)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
    if "@" in authority or "#" in path:
        raise BadRequest("the request's target has a user or a fragment")
    target = path if path.startswith("/") else f"/{path}"
    headers = CIMultiDict(message.headers)
    headers[hdrs.HOST] = authority
    before, _, query = target.partition("?")
    url = URL.build(path=before, query_string=query, encoded=True)
    return message._replace(path=target, url=url, headers=CIMultiDictProxy(headers))
