"""The messages of the limits of connections, requests and bodies, each once."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import pytest
from aiohttp.http_exceptions import (
    BadHttpMessage,
    HttpProcessingError,
    InvalidURLError,
    LineTooLong,
)

from picloud.core.errors import BadRequest, HeadTooLarge, Overloaded, PicloudError, TargetTooLong
from picloud.http.edge.connection_limits import ConnectionLimiter
from picloud.http.edge.receiver import MAX_FIELD, MAX_TARGET, _line_error, parse_error


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (LineTooLong("x", MAX_TARGET), TargetTooLong, "the request target has more than 8192 bytes"),
        (LineTooLong("x", MAX_FIELD), HeadTooLarge, "a request header has more than 16384 bytes"),
        (
            BadHttpMessage("Too many headers received"),
            HeadTooLarge,
            "the request has more than 128 headers",
        ),
        (InvalidURLError("x"), BadRequest, "not a valid HTTP request: the target is not a URL"),
        (
            BadHttpMessage("Invalid header token:\n\n  b'secret'"),
            BadRequest,
            "not a valid HTTP request: Invalid header token",
        ),
        (BadHttpMessage(""), BadRequest, "not a valid HTTP request: it cannot be parsed"),
    ],
)
def test_an_invalid_head_says_what_is_wrong(
    error: HttpProcessingError, kind: type[PicloudError], message: str
) -> None:
    converted = parse_error(error)
    assert (type(converted), converted.message) == (kind, message)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x16\x03\x01", "not a valid HTTP request: TLS on a port for plain HTTP"),
        (b"\x00", "not a valid HTTP request: the request line must be METHOD TARGET HTTP/1.1"),
        (b"GET /" + b"a" * 9000, "the request target has more than 8192 bytes"),
    ],
)
def test_an_invalid_request_line_says_what_is_wrong(data: bytes, message: str) -> None:
    error = _line_error(data, 0)
    assert error is not None
    assert error.message == message


@dataclass(eq=False)
class Busy:
    address: str
    idle_since: float | None = None

    def abort(self) -> None:
        raise AssertionError("a busy connection is not closed")


@pytest.mark.parametrize(
    ("limiter", "message", "warning"),
    [
        (
            ConnectionLimiter(2, 1),
            "too many connections from this address",
            (
                "192.0.2.1 has 1 connections to this worker; more are rejected; if it is a proxy, add it to "
                "PICLOUD_TRUSTED_PROXIES"
            ),
        ),
        (
            ConnectionLimiter(1, 2),
            "all connections are in use; try again in a second",
            "all 1 connections of this worker are busy; more are rejected",
        ),
    ],
)
def test_a_rejected_connection_says_which_limit(
    limiter: ConnectionLimiter, message: str, warning: str, caplog: pytest.LogCaptureFixture
) -> None:
    limiter.enter(Busy("192.0.2.1"), counted=True)
    with caplog.at_level(logging.WARNING), pytest.raises(Overloaded) as caught:
        limiter.enter(Busy("192.0.2.1"), counted=True)
    assert caught.value.message == message
    assert caplog.messages == [warning]
