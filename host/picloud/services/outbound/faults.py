"""Converts errors of aiohttp into messages for script authors, without addresses."""

from __future__ import annotations

import errno
import re
import ssl

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientError,
    ClientResponseError,
    ServerDisconnectedError,
)
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong

from picloud.services.outbound.errors import Denied, Failed
from picloud.services.outbound.headers import MAX_HEADER_BYTES

_REASONS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "no route to the network",
    errno.ETIMEDOUT: "no response",
}
_PARSER = re.compile(r"([A-Z][A-Za-z0-9 ,'/`:_-]{3,79}?)(?:: b['\"]|[.:]?\s*(?:\n|$))")
"""A message of the parser without the bytes of the response that it quotes behind it."""

_FIRST_WORD = re.compile(r"^[A-Z][a-z]+(?![A-Za-z-])")


def translated(error: ClientError, authority: str) -> Denied | Failed:
    """Convert an error of aiohttp.

    Args:
        error: the error of a request.
        authority: host and port, from the script or a redirect.

    Returns:
        `Denied` if a rule denied the connection, else `Failed`.
    """
    match error:
        case ClientConnectorCertificateError():
            reason = _certificate_reason(error.certificate_error)
            return Failed("tls", f"the certificate of {authority} is not valid{reason}")
        case ClientConnectorSSLError():
            return Failed("tls", f"TLS handshake with {authority} failed{_tls_reason(error.os_error)}")
        case ClientConnectorError(os_error=Denied() as denied):
            return denied
        case ClientConnectorError():
            known = _REASONS.get(error.os_error.errno or 0)
            return Failed("connect", f"cannot connect to {authority}{_detail(known)}")
        case ClientResponseError():
            return _invalid_response(error, authority)
        case ServerDisconnectedError():
            return Failed("connection", f"{authority} closed the connection without a response")
        case _:
            return Failed("connection", f"the connection to {authority} was closed early")


def _invalid_response(error: BaseException, authority: str) -> Failed:
    cause = error.__cause__
    while cause is not None and not isinstance(cause, BadHttpMessage):
        cause = cause.__cause__
    if isinstance(cause, LineTooLong):
        most = f"at most {MAX_HEADER_BYTES} bytes are accepted"
        return Failed("too large", f"a header or the status line of {authority} is too long; {most}")
    found = _PARSER.match(cause.message) if cause is not None else None
    reason = _detail(found and _FIRST_WORD.sub(lambda word: word[0].lower(), found[1]))
    return Failed("answer", f"{authority} did not send a valid HTTP response{reason}")


def _certificate_reason(error: Exception) -> str:
    """Return why a certificate is not valid, such as ": certificate has expired"."""
    return _detail(error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else None)


def _tls_reason(error: OSError) -> str:
    """Return why a handshake failed, such as ": wrong version number"."""
    reason = error.reason if isinstance(error, ssl.SSLError) else None
    return _detail(reason and reason.replace("_", " ").lower())


def _detail(reason: str | None) -> str:
    return f": {reason.rstrip('.')}" if reason else ""
