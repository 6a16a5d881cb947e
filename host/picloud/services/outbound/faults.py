"""What went wrong on the way, in words for the script's author; no address is ever among them."""

from __future__ import annotations

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientError,
    ClientResponseError,
)

from picloud.services.outbound.refused import Failed, Refused


def translated(error: ClientError, authority: str) -> Refused | Failed:
    """The error of ours that one of aiohttp's means.

    Args:
        error: what a request ended with.
        authority: host and port, as the script or a redirect named them.

    Returns:
        The refusal, where a rule stopped the connection; otherwise the failure.
    """
    match error:
        case ClientConnectorCertificateError():
            return Failed("tls", f"the certificate of {authority} is not valid")
        case ClientConnectorSSLError():
            return Failed("tls", f"no TLS connection to {authority}")
        case ClientConnectorError(os_error=Refused() as refused):
            return refused
        case ClientConnectorError():
            return Failed("connect", f"no connection to {authority}")
        case ClientResponseError():
            return Failed("answer", f"{authority} did not answer in HTTP")
        case _:
            return Failed("connection", f"the connection to {authority} broke off")
