"""A denied call opens no connection, whatever the spelling of its address."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

import pytest

from picloud import __version__
from picloud.services import outbound_decisions as decisions
from picloud.services.outbound.addresses import DENIED_IPV4, DENIED_IPV6
from tests.integration.outbound.conftest import Make, WayOut
from tests.integration.outbound.servers import WebServer

ENDS_IPV4 = [end for network in DENIED_IPV4 for end in (network[0], network[-1])]
OTHERS = tuple(map(ip_network, ("fc00::/7", "fe80::/10", "ff00::/8", "::/96")))
ENDS_IPV6 = [end for network in (*DENIED_IPV6, *OTHERS) for end in (network[0], network[-1])]


def spellings(inner: IPv4Address) -> list[str]:
    bits = int(inner)
    return [
        str(inner),
        f"[::ffff:{inner}]",
        f"[{IPv6Address(0xFFFF << 32 | bits)}]",
        f"[::{inner}]",
        f"[::ffff:0:{inner}]",
        f"[64:ff9b::{inner}]",
        f"[64:ff9b:1::{inner}]",
        f"[{IPv6Address(0x2002 << 112 | bits << 80)}]",
        f"[{IPv6Address(0x20010000 << 96 | (bits ^ 0xFFFFFFFF))}]",
    ]


@pytest.mark.parametrize("address", ENDS_IPV4, ids=str)
async def test_no_spelling_of_a_denied_address_is_connected_to(
    address: IPv4Address, strict: WayOut, attempts: list[Any]
) -> None:
    for host in spellings(address):
        for url in (f"http://{host}/", f"https://{host}:8443/"):
            assert await strict.denied(url) == "private address"
            assert (strict.decision.category, strict.decision.status) == ("private address", None)
    assert attempts == []


async def test_no_denied_ipv6_address_is_connected_to(strict: WayOut, attempts: list[Any]) -> None:
    for address in ENDS_IPV6:
        assert await strict.denied(f"http://[{address}]/") == "private address"
    assert attempts == []


LOOPBACK = [
    "127.0.0.1", "localhost", "LOCALHOST", "x.localhost", "[::1]", "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]",
    "127.0.0.2", "127.255.255.254", "0.0.0.0", "[::]", "2130706433", "017700000001", "0x7f000001", "0x7f.1",
    "127.1", "127.0.1", "0177.0.0.1", "127.0.0.1.", "localhost.", "１２７.0.0.1", "127。0。0。1", "0",
    "%6c%6f%63alhost", "127.0.0.%31", "[::1%25lo]", "user@127.0.0.1", "x:y@localhost", "127.0.0.1\t",
    "example.com@127.0.0.1", "127.0.0.1\\@example.com", "\t127.0.0.1",
    "127.0.0.1\r\nhost:x", "ⓛocalhost", "[::ffff:127.1]", "[0:0:0:0:0:ffff:127.0.0.1]",
]  # fmt: skip


@pytest.mark.parametrize("host", LOOPBACK, ids=ascii)
async def test_nothing_arrives_on_this_machine(
    host: str, strict: WayOut, web: WebServer, attempts: list[Any]
) -> None:
    for url in (f"http://{host}:{web.port}/", f"https://{host}:{web.port}/", f"http:{host}:{web.port}/"):
        assert await strict.denied(url) in ("private address", "url")
    assert (web.connections, web.requests, attempts) == (0, [], [])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "x.localhost"])
async def test_allow_private_lets_it_arrive(host: str, dev: WayOut, web: WebServer) -> None:
    response = await dev.request(f"http://{host}:{web.port}/a?b=c#d")
    assert (response["status"], response["body"]) == (200, b"hello")
    assert [one.line for one in web.requests] == ["GET /a?b=c"]
    assert (dev.decision.category, dev.decision.status, dev.decision.error) == ("allowed", 200, None)


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "0.0.0.0", "[::]", "224.0.0.1", "[fe80::1]", "[64:ff9b::7f00:1]"]
)
async def test_allow_private_does_not_open_the_rest(
    host: str, dev: WayOut, web: WebServer, attempts: list[Any]
) -> None:
    assert await dev.denied(f"http://{host}:{web.port}/") == "private address"
    assert (web.connections, attempts) == (0, [])


async def test_allow_private_does_not_open_this_instance(
    make: Make, web: WebServer, attempts: list[Any]
) -> None:
    way = make(allow_private=True, own_ports=(web.port,))
    for host in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "127.1.2.3"):
        assert await way.denied(f"http://{host}:{web.port}/") == "this server"
    assert (web.connections, attempts) == (0, [])


async def test_allow_private_does_not_open_what_the_operator_denies(
    make: Make, web: WebServer, attempts: list[Any]
) -> None:
    way = make(allow_private=True, denied=(ip_network("127.0.0.0/8"),))
    assert await way.denied(web.url()) == "denied by the operator"
    assert await way.denied(web.url(host="[::ffff:127.0.0.1]")) == "denied by the operator"
    assert (web.connections, attempts) == (0, [])
    assert (await way.request(web.url(host="[::1]")))["status"] == 200


async def test_allow_private_does_not_open_denied_ports(
    make: Make, web: WebServer, attempts: list[Any]
) -> None:
    way = make(allow_private=True, denied_ports=(web.port,))
    assert await way.denied(web.url()) == "port"
    assert await way.denied("http://127.0.0.1:22/") == "port"
    assert (web.connections, attempts) == (0, [])


async def test_a_denial_never_contains_the_address_of_a_name(strict: WayOut) -> None:
    said = await strict.error("http://localhost/")
    assert "127" not in said
    assert "::1" not in said


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "content-length", "Transfer-Encoding", "connection", "proxy-authorization", "TE"),
        *("upgrade", "expect", "Accept-Encoding"),
    ],
)
async def test_reserved_headers_stop_the_request(name: str, dev: WayOut, web: WebServer) -> None:
    said = await dev.error(web.url(), headers=[[name, "x"]])
    assert said.endswith(f" {name.lower()}")
    assert dev.decision.category == "header"
    assert web.connections == 0


@pytest.mark.parametrize("value", ["x\r\nx-evil: 1", "x\nx-evil: 1", "x\rx-evil: 1", "x\0"])
async def test_a_header_cannot_carry_another(value: str, dev: WayOut, web: WebServer) -> None:
    assert await dev.denied(web.url(), headers=[["x-a", value]]) == "header"
    assert web.connections == 0


async def test_a_url_cannot_carry_a_header_or_another_request(dev: WayOut, web: WebServer) -> None:
    for path in ("/\r\nx: y", "/ HTTP/1.1\r\nhost: x\r\n\r\nGET /evil", "/\n", "/?a\r\nb"):
        assert await dev.denied(web.url(path)) == "url"
    await dev.request(web.url("/ü?q=ä%0d%0ax:y"))
    assert [one.line for one in web.requests] == ["GET /%C3%BC?q=%C3%A4%0d%0ax:y"]


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "get", "GET / HTTP/1.1\r\nx:", ""])
async def test_denied_methods_stop_the_request(method: str, dev: WayOut, web: WebServer) -> None:
    assert await dev.denied(web.url(), method=method) == "method"
    assert (dev.decision.method, web.connections) == ("", 0)


async def test_a_denied_call_is_recorded_with_its_host_and_without_secrets(
    dev: WayOut,
) -> None:
    secret = [["authorization", "Bearer s3cr3t"]]
    denials: dict[str, dict[str, Any]] = {
        "port": {"url": "http://a.example:22/s3cr3t?token=s3cr3t"},
        "method": {"url": "http://a.example:22000/?token=s3cr3t", "method": "CONNECT"},
        "header": {"url": "http://a.example/?s3cr3t", "headers": [*secret, ["host", "s3cr3t"]]},
        "timeout_ms": {"url": "http://a.example/#s3cr3t", "timeout_ms": 0},
        "body": {"url": "http://a.example/", "headers": secret, "body": bytes(10 * 1024 * 1024 + 1)},
        "private address": {"url": "http://169.254.169.254/s3cr3t", "headers": secret},
        "url": {"url": "http://me:s3cr3t@a.example/"},
    }
    for options in denials.values():
        await dev.denied(**options)
    records = [decision.facts() for decision in dev.call.decisions.kept]
    assert [record["category"] for record in records] == list(denials)
    assert [record["host"] for record in records] == [
        *("a.example:22", "a.example:22000", "a.example", "a.example", "a.example", "169.254.169.254", ""),
    ]
    assert "s3cr3t" not in str(records)


async def test_many_allowed_calls_do_not_hide_denied_ones(
    dev: WayOut, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions, "MAX_DECISIONS", 3)
    monkeypatch.setattr(decisions, "MAX_DENIED", 2)
    for _ in range(5):
        await dev.request(web.url())
    for host in ("169.254.169.254", "0.0.0.0", "224.0.0.1"):
        await dev.denied(f"http://{host}/")
        await dev.request(web.url())
    kept = [one.host for one in dev.call.decisions.kept]
    assert kept == [*[f"127.0.0.1:{web.port}"] * 3, "169.254.169.254", "0.0.0.0"]
    assert dev.call.decisions.dropped == 6
    assert all(one.ms > 0 for one in dev.call.decisions.kept)


@pytest.mark.parametrize("timeout", [0, -1, 60_001, 2**40])
async def test_a_timeout_out_of_range_is_denied(timeout: int, dev: WayOut, web: WebServer) -> None:
    assert await dev.denied(web.url(), timeout_ms=timeout) == "timeout_ms"
    assert web.connections == 0


async def test_proxies_and_passwords_of_the_environment_are_ignored(
    dev: WayOut, web: WebServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password s3cr3t\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    assert (await dev.request(web.url()))["status"] == 200
    assert web.requests[0].header("authorization") is None


async def test_only_headers_of_the_script_and_the_platform_are_sent(dev: WayOut, web: WebServer) -> None:
    await dev.request(web.url(), "POST", [["x-a", "1"], ["x-a", "2"], ["accept", "text/html"]], b"{}")
    arrived = web.requests[0]
    assert arrived.headers == [
        ("host", f"127.0.0.1:{web.port}"),
        ("x-a", "1"),
        ("x-a", "2"),
        ("accept", "text/html"),
        ("user-agent", f"PiCloud/{__version__} (script {dev.call.script_id})"),
        ("accept-encoding", "gzip, deflate"),
        ("content-length", "2"),
        ("connection", "close"),  # a POST has a connection of its own
    ]
    assert arrived.body == b"{}"


@pytest.mark.parametrize(
    "body", [None, b"", b"x", bytes(10 * 1024 * 1024)], ids=["none", "empty", "one", "most"]
)
async def test_a_body_arrives_whole(body: bytes | None, dev: WayOut, web: WebServer) -> None:
    await dev.request(web.url(), "PUT", body=body)
    assert web.requests[0].body == (body or b"")
    assert (dev.decision.bytes_out, dev.decision.bytes_in) == (len(body or b""), 5)


async def test_a_body_that_is_too_large_stops_the_request(dev: WayOut, web: WebServer) -> None:
    assert await dev.denied(web.url(), method="PUT", body=bytes(10 * 1024 * 1024 + 1)) == "body"
    assert web.connections == 0
