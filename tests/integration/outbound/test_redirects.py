"""Redirects: each hop is checked like a first request, and gets only what it is allowed to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.integration.outbound.conftest import Make, WayOut
from tests.integration.outbound.servers import NameServer, WebServer, redirect, response

REDIRECTS = [301, 302, 303, 307, 308]


@pytest.mark.parametrize("status", REDIRECTS)
async def test_a_redirect_is_followed_or_returned(status: int, dev: WayOut, web: WebServer) -> None:
    web.responses["/a"] = redirect("/b?c", status)
    followed = await dev.request(web.url("/a"))
    assert (followed["status"], followed["url"], dev.decision.hops) == (200, web.url("/b?c"), 1)
    shown = await dev.request(web.url("/a"), follow=False)
    assert (shown["status"], shown["headers"]["location"], dev.decision.hops) == (status, "/b?c", 0)
    assert [one.line for one in web.requests] == ["GET /a", "GET /b?c", "GET /a"]


@pytest.mark.parametrize("status", REDIRECTS)
async def test_a_redirect_to_a_denied_address_ends_there(
    status: int, make: Make, web: WebServer, names: NameServer, attempts: list[Any]
) -> None:
    names.names["inside.example"] = [["10.0.0.1"]]
    way = make(allow_private=True)  # only to reach the server that redirects
    for location in (
        "http://169.254.169.254/latest/meta-data",
        "//169.254.169.254/",
        "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::7f00:1]/",
        "http://0.0.0.0/",
    ):
        web.responses["/"] = redirect(location, status)
        assert await way.denied(web.url(), method="POST", body=b"s3cr3t") == "private address"
        assert (way.decision.hops, way.decision.status) == (1, None)
    assert {address[0] for address in attempts} == {"127.0.0.1"}
    assert {one.line for one in web.requests} == {"POST /"}


@pytest.mark.parametrize(
    ("location", "category"),
    [
        ("http://127.1/", "url"),
        ("http://2130706433/", "url"),
        ("http://x@127.0.0.1/", "url"),
        ("http://127.0.0.1:22/", "port"),
        ("ftp://127.0.0.1/", "url"),
        ("file:///etc/passwd", "url"),
        ("data:text/plain,hello", "url"),
        ("unix:///var/run/docker.sock", "url"),
        ("gopher://127.0.0.1:6379/_x", "url"),
        ("javascript:alert(1)", "url"),
        ("http:/x", "url"),
        ("\\\\127.0.0.1\\x", "url"),
        ("/a\tb", "url"),
        ("http://１２７.0.0.1/", "url"),
    ],
)
async def test_a_redirect_to_a_denied_url_ends_there(
    location: str, category: str, dev: WayOut, web: WebServer
) -> None:
    web.responses["/"] = redirect(location)
    assert await dev.denied(web.url()) == category
    assert len(web.requests) == 1


async def test_a_location_with_spaces_and_raw_bytes_is_encoded(dev: WayOut, web: WebServer) -> None:
    web.responses["/a"] = response("302 Found", b"", "Location: /b c?d=e f").replace(b"/b c", b"/b c\xe9")
    assert (await dev.request(web.url("/a")))["url"] == web.url("/b%20c%E9?d=e%20f")
    assert web.requests[1].line == "GET /b%20c%E9?d=e%20f"


async def test_a_redirect_to_a_denied_port_is_recorded_with_its_host(dev: WayOut, web: WebServer) -> None:
    web.responses["/"] = redirect("http://db.example:22/?token=s3cr3t")
    assert await dev.denied(web.url()) == "port"
    assert dev.decision.host == "db.example:22"


@pytest.mark.parametrize("status", [307, 308])
async def test_a_body_is_resent_only_to_an_allowed_target(status: int, dev: WayOut, web: WebServer) -> None:
    web.responses["/a"] = redirect("/b", status)
    web.responses["/b"] = redirect("http://169.254.169.254/", status)
    assert await dev.denied(web.url("/a"), method="POST", body=b"s3cr3t") == "private address"
    assert [(one.line, one.body) for one in web.requests] == [("POST /a", b"s3cr3t"), ("POST /b", b"s3cr3t")]
    assert dev.decision.bytes_out == 12


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_a_post_becomes_a_get_without_body(status: int, dev: WayOut, web: WebServer) -> None:
    web.responses["/a"] = redirect("/b", status)
    await dev.request(web.url("/a"), "POST", [["content-type", "text/plain"], ["x-a", "1"]], b"body")
    assert (web.requests[1].line, web.requests[1].body) == ("GET /b", b"")
    assert web.requests[1].header("content-type") is None
    assert web.requests[1].header("content-length") is None
    assert web.requests[1].header("x-a") == "1"


async def test_credentials_do_not_go_to_another_origin_nor_come_back(dev: WayOut, web: WebServer) -> None:
    web.responses["/a"] = redirect("/b")
    web.responses["/b"] = redirect(web.url("/c", "localhost"))
    web.responses["/c"] = redirect(web.url("/d"))
    await dev.request(web.url("/a"), headers=[["authorization", "s"], ["cookie", "c"], ["x-a", "1"]])
    seen = [(one.header("authorization"), one.header("cookie"), one.header("x-a")) for one in web.requests]
    assert seen == [("s", "c", "1"), ("s", "c", "1"), (None, None, "1"), (None, None, "1")]


@pytest.mark.parametrize("status", [307, 308])
async def test_a_body_and_marked_headers_do_not_go_to_another_origin(
    status: int, dev: WayOut, web: WebServer
) -> None:
    web.responses["/a"] = redirect(web.url("/b", "localhost"), status)
    headers = [["x-api-key", "k"], ["X-Mine", "m"], ["content-type", "text/plain"], ["x-a", "1"]]
    await dev.request(web.url("/a"), "POST", headers, b"s3cr3t", secret=["X-Mine"])
    await dev.request(web.url("/a"), "POST", headers, b"asked", redirect_body=True)
    names = ("x-api-key", "x-mine", "content-type", "x-a")
    seen = [(one.line, one.body, [one.header(name) for name in names]) for one in web.requests]
    assert seen == [
        ("POST /a", b"s3cr3t", ["k", "m", "text/plain", "1"]),
        ("POST /b", b"", [None, None, None, "1"]),
        ("POST /a", b"asked", ["k", "m", "text/plain", "1"]),
        ("POST /b", b"asked", [None, "m", "text/plain", "1"]),
    ]


@pytest.mark.parametrize("secret", [["a b"], [1], ["x"] * 101])
async def test_marks_of_headers_are_checked(secret: list[Any], dev: WayOut, web: WebServer) -> None:
    assert await dev.denied(web.url(), secret=secret) == "header"
    assert web.connections == 0


async def test_cookies_of_a_response_are_not_kept(dev: WayOut, web: WebServer) -> None:
    web.responses["/a"] = response("302 Found", b"", "Set-Cookie: a=1; Path=/", "Location: /b")
    web.responses["/b"] = response("200 OK", b"", "Set-Cookie: b=2", "Set-Cookie: c=3")
    got = await dev.request(web.url("/a"))
    assert got["headers"]["set-cookie"] == ["b=2", "c=3"]
    await dev.request(web.url("/c"))
    assert [one.header("cookie") for one in web.requests] == [None, None, None]


async def test_five_redirects_are_followed_and_no_more(dev: WayOut, web: WebServer) -> None:
    for number in range(6):
        web.responses[f"/{number}"] = redirect(f"/{number + 1}")
    assert (await dev.request(web.url("/1")))["url"] == web.url("/6")
    assert dev.decision.hops == 5
    web.requests.clear()
    assert await dev.failed(web.url("/0")) == "redirects"
    assert (dev.decision.hops, len(web.requests)) == (5, 6)


async def test_a_redirect_to_itself_ends(dev: WayOut, web: WebServer) -> None:
    web.responses["/"] = redirect("/")
    assert await dev.failed(web.url()) == "redirects"


@pytest.mark.parametrize("status", [300, 304, 305, 306])
async def test_other_responses_with_a_location_are_returned(status: int, dev: WayOut, web: WebServer) -> None:
    web.responses["/"] = response(f"{status} Hm", b"", "Location: http://169.254.169.254/")
    assert (await dev.request(web.url()))["status"] == status


async def test_a_redirect_whose_body_never_ends_is_followed(dev: WayOut, web: WebServer) -> None:
    web.responses["/a"] = b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 99999999\r\n\r\nx"
    assert (await dev.request(web.url("/a")))["url"] == web.url("/b")
    assert web.connections == 2


async def test_the_deadline_is_for_all_hops(dev: WayOut, web: WebServer) -> None:
    async def slowly(_reader: Any, writer: Any) -> None:
        await asyncio.sleep(0.15)
        writer.write(redirect("/"))
        await writer.drain()

    web.responses["/"] = slowly
    assert await dev.failed(web.url(), timeout_ms=300) == "timeout"
