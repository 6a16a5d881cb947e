"""The load attacks, as data: what each connection of an attacker sends.

To add one, add a row to `ATTACKS`; `script/attack NAME` runs it.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from signal import SIGSTOP, Signals

NICENESS = 5
"""Of the attacking processes: they are on the machine of the server, and are not to take its cores."""

QUIET, LOUD = "quiet.test", "loud.test"
"""Hosts of the app that is probed and of the app that attacks."""

SCRIPTS = {
    "cached": '#{ body: "fine" }',
    "first": "0",
    "keep": 'log::info("kept"); "ok"',
    "endless": "loop { }",
    "grow": """
        fn grow(n) {
            let s = "x";
            s.pad(1900, "x");
            for i in 0..9 { s += s; }
            if n > 1 { grow(n - 1) + s.len() } else { 1 }
        }
        grow(120)""",
    "fetch": 'http::get("http://localhost:UPSTREAM/").status',
}
"""Sources of the routes `/NAME` that both apps have, of any method. UPSTREAM is the port of `upstream.py`."""

LIMITS = {
    "grow": {"memory_limit_mb": 256, "max_string_size": 1_000_000, "max_call_levels": 128},
    "endless": {"max_operations": 10_000_000, "max_fuel": 50_000_000_000},
}
"""Limits of these scripts."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack.

    Attributes:
        name: in the table, and as an argument.
        item: number in the list of what an attacker broke.
        connections: that do it at the same time.
        request: bytes that a connection sends first, and again after each response. `{token}` stands for the
            token of an editor of the app that attacks.
        forever: bytes that it then sends again and again; empty to wait for the response instead.
        signal: sent to one worker, instead of bytes to a port.
    """

    name: str
    item: int
    connections: int = 0
    request: bytes = b""
    forever: bytes = b""
    signal: Signals | None = None


def http(method: str, path: str, *headers: str, body: bytes | None = None, host: str = LOUD) -> bytes:
    """Return a request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def admin(method: str, path: str, body: object) -> bytes:
    """Return a request to the admin API by an editor of the app that attacks."""
    headers = ("Authorization: Bearer {token}", "Content-Type: application/json")
    return http(method, f"/api/v1/admin{path}", *headers, body=json.dumps(body).encode(), host="localhost")


def chunk(data: bytes) -> bytes:
    """Return a chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


CHUNKED = "Transfer-Encoding: chunked"
GZIP_HEAD = gzip.compress(b"")[:10]
EMPTY_BLOCKS = b"\x00\x00\x00\xff\xff" * 10_000  # stored deflate blocks of no bytes: RFC 1951, 3.2.4
SWITCH = "switch 1 { " + ", ".join(f"{n} => {n}" for n in range(5_000)) + " }"
FUNCTIONS = "\n".join(f"fn f{n}() {{ {n} }}" for n in range(4_000))
CLOSURES = "let y = 1;\n" + "\n".join("let g = |x| x + y;" for _ in range(4_000))


def hostile(source: str) -> bytes:
    """Return a request that checks a source."""
    return admin("POST", "/apps/loud/scripts:validate", {"source": source})


ATTACKS = (
    Attack("records", 1, 8, http("POST", "/keep", "Content-Type: text/plain", body=b"x" * 62_000)),
    Attack("tiny chunks", 5, 8, http("POST", "/keep", CHUNKED), chunk(b"a") * 2_000),
    Attack("chunk extensions", 5, 8, http("POST", "/keep", CHUNKED), b"1;" + b"e" * 4_000 + b"\r\na\r\n"),
    Attack("an endless extension", 5, 8, http("POST", "/keep", CHUNKED), b"1;" + b"e" * 60_000),
    Attack(
        "endless trailers",
        5,
        8,
        http("POST", "/keep", CHUNKED) + b"0\r\n",
        b"a: b\r\n" * 2_000,
    ),
    Attack("empty lines before a request", 5, 8, b"", b"\r\n" * 10_000),
    Attack("pipelined requests", 5, 8, b"", b"GET /none HTTP/1.1\r\nHost: loud.test\r\n\r\n" * 200),
    Attack("long lengths", 6, 8, http("POST", "/keep", "Content-Length: " + "9" * 5_000)),
    Attack(
        "a chunk of 2^63 bytes",
        6,
        8,
        http("POST", "/keep", CHUNKED) + b"8000000000000000\r\n",
    ),
    Attack("hostile sources: switch", 7, 60, hostile(SWITCH)),
    Attack("hostile sources: functions", 7, 60, hostile(FUNCTIONS)),
    Attack("hostile sources: closures", 7, 60, hostile(CLOSURES)),
    Attack("endless loops", 7, 20, http("GET", "/endless")),
    Attack("memory", 8, 20, http("GET", "/grow")),
    Attack(
        "empty gzip blocks in a body",
        9,
        8,
        http("POST", "/keep", CHUNKED, "Content-Encoding: gzip") + chunk(GZIP_HEAD),
        chunk(EMPTY_BLOCKS),
    ),
    Attack("empty gzip blocks from an upstream", 9, 8, http("GET", "/fetch")),
    Attack("a stopped worker", 10, signal=SIGSTOP),
)
