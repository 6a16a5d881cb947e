"""The messages of outbound calls, each once."""

from __future__ import annotations

import errno
import gzip
import ssl
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_address, ip_network

import pytest
from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientError,
    ClientResponseError,
    ServerDisconnectedError,
)
from aiohttp import ClientConnectorSSLError as ClientTlsError
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.http_exceptions import BadHttpMessage, HttpProcessingError, InvalidHeader, LineTooLong

from picloud.services.outbound.addresses import Addresses
from picloud.services.outbound.errors import Denied, Failed
from picloud.services.outbound.faults import translated
from picloud.services.outbound.headers import check_headers, check_secret, received
from picloud.services.outbound.requests import check_body, check_method
from picloud.services.outbound.response_body import read_body
from picloud.services.outbound.targets import Destination, Targets

MIB = 1024 * 1024
BASE = Destination("http", "a.example", 80, "/", "")
KEY = ConnectionKey("a.example", 443, True, True, None, None, None)


def url(text: str) -> Callable[[], object]:
    return lambda: Targets().parse(text)


def header(name: object, value: object = "x", count: int = 1) -> Callable[[], object]:
    return lambda: check_headers([[name, value]] * count)


def address(text: str) -> Callable[[], object]:
    rule = Addresses((ip_network("8.8.8.0/24"),), own=lambda one: str(one) == "9.9.9.9")
    return lambda: rule.check(ip_address(text), 80)


@pytest.mark.parametrize(
    ("check", "category", "message"),
    [
        (address("10.0.0.1"), "private address", "denied: private address"),
        (address("9.9.9.9"), "this server", "denied: this server"),
        (address("8.8.8.8"), "denied by the operator", "denied: by the operator"),
        (url("http://a/" + "b" * 8192), "url", "denied: the URL is longer than 8192 characters"),
        (url("http://a/ b"), "url", "denied: the URL contains white space; write a space as %20"),
        (url("http://a/\x01"), "url", "denied: the URL contains a control character"),
        (url("http://a\\b"), "url", "denied: the URL contains a backslash"),
        (url("/a"), "url", "denied: the URL must start with http:// or https:// and a host"),
        (url("ftp://a/"), "url", "denied: the scheme ftp: is not allowed; use http: or https:"),
        (url("http:///a"), "url", "denied: the URL has no host"),
        (url("http://a:080/"), "url", "denied: the port of the URL is not an integer without leading zeros"),
        (
            url("http://me@a/"),
            "url",
            "denied: the URL contains a user or password; send an Authorization header",
        ),
        (url("http://a:0/"), "url", "denied: the port of the URL must be from 1 to 65535"),
        (url("http://a:22/"), "port", "denied: port 22 is not open to scripts"),
        (url("http://[a/"), "url", "denied: the URL has an invalid host or port"),
        (url("http://[a]/"), "url", "denied: the URL has an invalid IPv6 address"),
        (url(f"http://{'a.' * 130}b/"), "url", "denied: the host of the URL is too long"),
        (url("http://127.1/"), "url", "denied: the host of the URL is an invalid IPv4 address"),
        (url("http://a..b/"), "url", "denied: the URL has an invalid host name"),
        (
            lambda: Targets().follow(BASE, "/a\tb"),
            "url",
            "denied: the URL of the redirect contains white space; write a space as %20",
        ),
        (
            lambda: Targets().follow(BASE, "//\udcff"),
            "url",
            "denied: the URL of the redirect contains bytes that are not UTF-8",
        ),
        (lambda: check_method("TRACE"), "method", "denied: the method 'TRACE' is not allowed"),
        (lambda: check_body(bytes(10 * MIB + 1)), "body", "denied: the body has more than 10485760 bytes"),
        (header("x", 1), "header", "denied: headers must be pairs of a name and a string"),
        (header("a b"), "header", "denied: invalid header name 'a b'"),
        (header("Host"), "header", "denied: scripts cannot set the header host"),
        (
            lambda: check_secret(["a b"]),
            "header",
            "denied: secret must be a list of header names",
        ),
        (
            lambda: check_secret(["a"] * 101),
            "header",
            "denied: secret can name at most 100 headers",
        ),
        (header("x", "\n"), "header", "denied: header x contains a control character"),
        (
            header("x", "1", 101),
            "header",
            "denied: at most 100 headers with 65536 bytes in total can be sent",
        ),
    ],
)
def test_a_denied_call_says_which_rule(check: Callable[[], object], category: str, message: str) -> None:
    with pytest.raises(Denied) as denied:
        check()
    assert (denied.value.category, str(denied.value)) == (category, message)


def certificate_error(reason: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, reason)
    error.verify_message = reason
    return error


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


def invalid_response(cause: BadHttpMessage) -> ClientResponseError:
    """As aiohttp reports an error of its parser."""
    error = ClientResponseError(None, ())  # type: ignore[arg-type]  # not used
    error.__cause__ = HttpProcessingError()
    error.__cause__.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (
            ClientConnectorCertificateError(KEY, ValueError()),
            "tls",
            "the certificate of a.example is not valid",
        ),
        (
            ClientConnectorCertificateError(KEY, certificate_error("certificate has expired")),
            "tls",
            "the certificate of a.example is not valid: certificate has expired",
        ),
        (
            ClientTlsError(KEY, tls_error("WRONG_VERSION_NUMBER")),
            "tls",
            "TLS handshake with a.example failed: wrong version number",
        ),
        (
            ClientConnectorError(KEY, ConnectionRefusedError(errno.ECONNREFUSED, "('10.0.0.1', 80)")),
            "connect",
            "cannot connect to a.example: connection refused",
        ),
        (
            ServerDisconnectedError(),
            "connection",
            "a.example closed the connection without a response",
        ),
        (
            invalid_response(BadHttpMessage("Too many headers received")),
            "answer",
            "a.example did not send a valid HTTP response: too many headers received",
        ),
        (
            invalid_response(BadHttpMessage("Invalid header token:\n\n  b'secret\\x00'\n    ^")),
            "answer",
            "a.example did not send a valid HTTP response: invalid header token",
        ),
        (
            invalid_response(InvalidHeader(b"x-a: secret\0")),
            "answer",
            "a.example did not send a valid HTTP response: invalid HTTP header",
        ),
        (
            invalid_response(BadHttpMessage("Content-Length is not one")),
            "answer",
            "a.example did not send a valid HTTP response: Content-Length is not one",
        ),
        (
            invalid_response(LineTooLong(b"x-a: secret", 65536)),
            "too large",
            "a header or the status line of a.example is too long; at most 65536 bytes are accepted",
        ),
        (ClientTlsError(KEY, OSError(1, "")), "tls", "TLS handshake with a.example failed"),
        (ClientConnectorError(KEY, OSError(1, "")), "connect", "cannot connect to a.example"),
        (ClientResponseError(None, ()), "answer", "a.example did not send a valid HTTP response"),  # type: ignore[arg-type]  # not used
        (ClientError(), "connection", "the connection to a.example was closed early"),
    ],
)
def test_a_failed_call_says_what_happened(error: ClientError, kind: str, message: str) -> None:
    failed = translated(error, "a.example")
    assert isinstance(failed, Failed)
    assert (failed.kind, str(failed)) == (kind, message)


def test_a_rule_that_stopped_the_connection_is_reported_as_such() -> None:
    denied = Denied("private address")
    assert translated(ClientConnectorError(KEY, denied), "a.example") is denied


@pytest.mark.parametrize(
    ("data", "encoding", "kind", "message"),
    [
        (bytes(10 * MIB + 1), "", "too large", "the response has more than 10485760 bytes"),
        (
            gzip.compress(b"x") + bytes(11 * MIB),
            "gzip",
            "too large",
            "the compressed response has more than 11534336 bytes",
        ),
        (b"\x1f\x8b" + bytes(9), "gzip", "answer", "the compressed body of the response is corrupt"),
        (gzip.compress(b"x")[:-1], "gzip", "answer", "the compressed body of the response is truncated"),
        (
            gzip.compress(b"") * 1001,
            "gzip",
            "answer",
            "the compressed body of the response has more than 1000 parts",
        ),
    ],
    ids=["size", "wire", "corrupt", "truncated", "parts"],
)
async def test_an_invalid_body_says_why(data: bytes, encoding: str, kind: str, message: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield data

    with pytest.raises(Failed) as failed:
        await read_body(chunks(), encoding, lambda _wire, _made: None)
    assert (failed.value.kind, str(failed.value)) == (kind, message)


def test_too_large_headers_of_a_response_are_reported_with_the_limit() -> None:
    with pytest.raises(Failed) as failed:
        received([(b"a", bytes(65536))])
    assert (failed.value.kind, str(failed.value)) == (
        "too large",
        "the response has more than 65536 bytes of headers",
    )
