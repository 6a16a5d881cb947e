"""Converts errors of aiohttp into messages for script authors, without addresses."""

from __future__ import annotations

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientError,
    ClientResponseError,
)

from picloud.services.outbound.errors import Denied, Failed


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
            return Failed("tls", f"the certificate of {authority} is not valid")
        case ClientConnectorSSLError():
            return Failed("tls", f"TLS handshake with {authority} failed")
        case ClientConnectorError(os_error=Denied() as denied):
            return denied
        case ClientConnectorError():
            return Failed("connect", f"cannot connect to {authority}")
        case ClientResponseError():
            return Failed("answer", f"{authority} did not send a valid HTTP response")
        case _:
            return Failed("connection", f"the connection to {authority} was closed early")
