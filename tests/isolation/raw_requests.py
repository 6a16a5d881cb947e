"""Requests as bytes: what must be rejected, with which error, and what must be served.

A line is a name, the bytes, and what must happen. `GET` follows each rejected one, and must not be served.
"""

from __future__ import annotations

from typing import NamedTuple

GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a.test\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

AMBIGUOUS = {
    "duplicate Host": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "Host that is none": b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "Host with a path": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "Host with a user": b"GET / HTTP/1.1\r\nHost: b@a\r\n\r\n",
    "length and chunked": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n123456",
    "twice the same length": POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n12345",
    "a list of lengths": POST + b"Content-Length: 5, 5\r\n\r\n12345",
    "negative length": POST + b"Content-Length: -5\r\n\r\n12345",
    "signed length": POST + b"Content-Length: +5\r\n\r\n12345",
    "overflowing length": POST + b"Content-Length: 99999999999999999999999\r\n\r\n12345",
    "hexadecimal length": POST + b"Content-Length: 0x5\r\n\r\n12345",
    "length with an underscore": POST + b"Content-Length: 1_0\r\n\r\n1234567890",
    "empty length": POST + b"Content-Length:\r\n\r\n12345",
    "bare LF": b"GET / HTTP/1.1\nHost: a\n\n",
    "one bare LF": b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
    "bare CR": b"GET / HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n",
    "folded header": b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
    "folded first header": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "space before the colon": b"GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n",
    "space before the colon of chunked": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "xchunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "identity": POST + b"Transfer-Encoding: identity\r\n\r\n",
    "no encoding": POST + b"Transfer-Encoding:\r\n\r\n",
    "chunked, identity": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "gzip, chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked behind a vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "chunked in HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunk of negative size": CHUNKED + b"-2\r\n12\r\n0\r\n\r\n",
    "chunk of prefixed size": CHUNKED + b"0x2\r\n12\r\n0\r\n\r\n",
    "chunk of overflowing size": CHUNKED + b"ffffffffffffffffff\r\n12\r\n0\r\n\r\n",
    "chunk that is longer than it says": CHUNKED + b"2\r\n12XX0\r\n\r\n",
    "chunk extension ending in a bare LF": CHUNKED + b"2;a\n12\r\n0\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/2": b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "HTTP/1.2": b"GET / HTTP/1.2\r\nHost: a\r\n\r\n",
    "preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    "target that is no path": b"GET x HTTP/1.1\r\nHost: a\r\n\r\n",
    "target that is a star": b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "target that is an authority": b"GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    "target of another protocol": b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "target with a user": b"GET http://b@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "target with a fragment": b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
    "URL with a fragment": b"GET http://a/#b HTTP/1.1\r\nHost: a\r\n\r\n",
    "target with a NUL": b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
    "target with a space": b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL in a value": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    "control byte in a value": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x01b\r\n\r\n",
    "name that is not ASCII": b"GET / HTTP/1.1\r\nHost: a\r\nX\xff: b\r\n\r\n",
    "no name": b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
    "unknown method": b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n",
    "method in small letters": b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
    "endless method": b"A" * 100_000,
    # the request line
    "RTSP": b"GET / RTSP/1.0\r\nHost: a\r\n\r\n",
    "method of RTSP": b"DESCRIBE / RTSP/1.0\r\nHost: a\r\n\r\n",
    "ICE": b"SOURCE / ICE/1.0\r\nHost: a\r\n\r\n",
    "protocol in small letters": b"GET / http/1.1\r\nHost: a\r\n\r\n",
    "two spaces before the target": b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "two spaces before the version": b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
    "space behind the version": b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
    "space before the method": b" GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "tab before the target": b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "version of many digits": b"GET / HTTP/1.1000000\r\nHost: a\r\n\r\n",
    "bare LF before the request line": b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "raw bytes in the method": b"G\xc3\xa4T / HTTP/1.1\r\nHost: a\r\n\r\n",
    "no request line": b"Host: a\r\n\r\n",
    # headers that have one value
    "two content types": POST + b"content-type: a/b\r\nContent-Type: c/d\r\nContent-Length: 0\r\n\r\n",
    "two authorizations": GET[:-2] + b"Authorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n",
    "two origins": GET[:-2] + b"Origin: http://a\r\nOrigin: http://b\r\n\r\n",
    "two ranges": GET[:-2] + b"Range: bytes=0-1\r\nRange: bytes=2-3\r\n\r\n",
    # numbers
    "length of 5,000 zeros": POST + b"Content-Length: " + b"0" * 5000 + b"2\r\n\r\n12",
    "length of 5,000 digits": POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n12",
    "length with a sign and a space": POST + b"Content-Length: + 2\r\n\r\n12",
    "chunk size of 5,000 digits": CHUNKED + b"0" * 5000 + b"2\r\n12\r\n0\r\n\r\n",
    "chunk size of 17 digits": CHUNKED + b"00000000000000002\r\n12\r\n0\r\n\r\n",
    "chunk size of 2^64": CHUNKED + b"10000000000000000\r\n12\r\n0\r\n\r\n",
    "chunk size with a sign": CHUNKED + b"+2\r\n12\r\n0\r\n\r\n",
    "chunk size with an underscore": CHUNKED + b"1_0\r\n12\r\n0\r\n\r\n",
    "empty chunk size": CHUNKED + b"\r\n12\r\n0\r\n\r\n",
    "chunk size that is only an extension": CHUNKED + b";a=b\r\n12\r\n0\r\n\r\n",
    "chunk extension of 300 KB": CHUNKED + b"2;" + b"a" * 300_000 + b"\r\n12\r\n0\r\n\r\n",
    "chunk extension of 2 KB": CHUNKED + b"2;" + b"a" * 2000 + b"\r\n12\r\n0\r\n\r\n",
}


class Excess(NamedTuple):
    """What is too large, or never done.

    Attributes:
        sent: the bytes.
        status: of the response.
        code: of the error.
    """

    sent: bytes
    status: int
    code: str


EXCESSIVE = {
    "target of 8 KiB": Excess(
        b"GET /" + b"a" * 8192 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "target_too_long"
    ),
    "target without end": Excess(b"GET /" + b"a" * 100_000, 414, "target_too_long"),
    "target that is too long when it is encoded": Excess(
        b"GET /?" + b"\xc3\xa4" * 3000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "target_too_long"
    ),
    "header of 16 KiB": Excess(GET[:-2] + b"X: " + b"a" * 17_000 + b"\r\n\r\n", 431, "head_too_large"),
    "name of 16 KiB": Excess(GET[:-2] + b"a" * 17_000 + b": x\r\n\r\n", 431, "head_too_large"),
    "10,000 headers": Excess(GET[:-2] + b"A: b\r\n" * 10_000 + b"\r\n", 431, "head_too_large"),
    "128 KiB of headers": Excess(
        GET[:-2] + (b"A: " + b"b" * 8000 + b"\r\n") * 16 + b"\r\n", 431, "head_too_large"
    ),
    "headers without end": Excess(GET[:-2] + (b"A: " + b"b" * 8000 + b"\r\n") * 16, 431, "head_too_large"),
    "empty lines without end": Excess(b"\r\n" * 100_000, 431, "head_too_large"),
    "10,000 trailers": Excess(CHUNKED + b"0\r\n" + b"A: b\r\n" * 10_000 + b"\r\n", 431, "head_too_large"),
    "trailer without end": Excess(CHUNKED + b"0\r\nA: " + b"b" * 400_000, 431, "head_too_large"),
    "length of 1 GiB": Excess(POST + b"Content-Length: 1073741824\r\n\r\n", 413, "body_too_large"),
    "length of 2^63": Excess(POST + b"Content-Length: 9223372036854775808\r\n\r\n", 413, "body_too_large"),
    "length of 2^64 - 1": Excess(
        POST + b"Content-Length: 18446744073709551615\r\n\r\n", 413, "body_too_large"
    ),
    "length of 1 GiB, announced": Excess(
        POST + b"Expect: 100-continue\r\nContent-Length: 1073741824\r\n\r\n", 413, "body_too_large"
    ),
    "chunk of 2^63": Excess(CHUNKED + b"8000000000000000\r\n12", 413, "body_too_large"),
    "second chunk of 2^64 - 1": Excess(CHUNKED + b"2\r\n12\r\nFFFFFFFFFFFFFFFF\r\n12", 413, "body_too_large"),
    "chunks of a byte": Excess(CHUNKED + b"1\r\na\r\n" * 100_000, 413, "body_too_large"),
    "chunks of a byte with extensions": Excess(
        CHUNKED + (b"1;" + b"a" * 1000 + b"\r\na\r\n") * 400, 413, "body_too_large"
    ),
    "CONNECT": Excess(b"CONNECT a.test:80 HTTP/1.1\r\nHost: a.test\r\n\r\n", 405, "method_not_allowed"),
    "TRACE": Excess(b"TRACE / HTTP/1.1\r\nHost: a.test\r\n\r\n", 405, "method_not_allowed"),
}


class Served(NamedTuple):
    """What is unusual, but clear.

    Attributes:
        sent: the bytes.
        method: that the handler sees.
        target: that it sees.
        host: that it sees.
        body: that it sees; of a long one, the length.
        responses: number of responses.
    """

    sent: bytes
    method: str = "GET"
    target: str = "/"
    host: str | None = "a"
    body: str | int = ""
    responses: int = 1


_BEHIND = b"and bytes behind the last request" + GET
_CLOSE = b"Host: a\r\nConnection: close\r\n"

SERVED = {
    "URL as target": Served(
        b"GET http://b.test:81/x?y HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/x?y", "b.test:81"
    ),
    "URL without a path": Served(b"GET http://b.test HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/", "b.test"),
    "URL with a query only": Served(
        b"GET HTTPS://b.test?y HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/?y", "b.test"
    ),
    "two slashes": Served(b"GET //b.test/x HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "//b.test/x"),
    "HTTP/1.0 without Host": Served(b"GET / HTTP/1.0\r\n\r\n", host=None),
    "empty lines before": Served(b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nX: \xff\xfe\r\n\r\n"),
    "method of WebDAV": Served(b"PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n", "PROPFIND"),
    "raw UTF-8 in the query": Served(
        "GET /hello?name=José HTTP/1.1\r\nHost: a\r\n\r\n".encode(), target="/hello?name=Jos%C3%A9"
    ),
    "raw Latin-1 in the query": Served(
        b"GET /hello?name=Jos\xe9 HTTP/1.1\r\nHost: a\r\n\r\n", target="/hello?name=Jos%E9"
    ),
    "raw UTF-8 in the path": Served(b"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", target="/%C3%A4"),
    "chunk with an extension and trailers": Served(
        POST + b"Transfer-Encoding: CHUNKED\r\n\r\n2;a=b\r\n12\r\n0\r\nX: y\r\n\r\n",
        "POST",
        "/",
        "a.test",
        "12",
    ),
    "chunk size of 16 digits": Served(
        CHUNKED + b"0000000000000002\r\n12\r\n0\r\n\r\n", "POST", "/", "a.test", "12"
    ),
    "10,000 chunks": Served(CHUNKED + b"1\r\na\r\n" * 10_000 + b"0\r\n\r\n", "POST", "/", "a.test", 10_000),
    "upgrade to HTTP/2": Served(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"),
    "upgrade to a web socket": Served(
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    ),
    "upgrade to HTTP/2 with a body": Served(
        POST + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n12" + GET,
        "POST",
        host="a.test",
        body="12",
        responses=2,
    ),
    "upgrade to a web socket with chunks": Served(
        CHUNKED[:-2] + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n2\r\n12\r\n0\r\n\r\n" + GET,
        "POST",
        host="a.test",
        body="12",
        responses=2,
    ),
    "bytes behind close": Served(b"GET / HTTP/1.1\r\n" + _CLOSE + b"\r\n" + _BEHIND),
    "bytes behind a body and close": Served(
        b"POST / HTTP/1.1\r\n" + _CLOSE + b"Content-Length: 2\r\n\r\n12" + _BEHIND, "POST", body="12"
    ),
    "bytes behind chunks and close": Served(
        b"POST / HTTP/1.1\r\n" + _CLOSE + b"Transfer-Encoding: chunked\r\n\r\n2\r\n12\r\n0\r\n\r\n" + _BEHIND,
        "POST",
        body="12",
    ),
    "bytes behind a request of HTTP/1.0": Served(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n" + _BEHIND),
    "bytes behind the second of two requests": Served(
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n" + _CLOSE + b"\r\n" + _BEHIND, responses=2
    ),
    "empty line behind a body": Served(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n12\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST",
        body="12",
        responses=2,
    ),
}
