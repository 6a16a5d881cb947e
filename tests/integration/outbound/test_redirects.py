"""Redirects of every kind: each hop is checked like a first request, and takes along only what it may."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.integration.outbound.conftest import Make, WayOut
from tests.integration.outbound.servers import NameServer, WebServer, answer, redirect

REDIRECTS = [301, 302, 303, 307, 308]


@pytest.mark.parametrize("status", REDIRECTS)
async def test_a_redirect_is_followed_or_handed_over(status: int, dev: WayOut, web: WebServer) -> None:
    web.answers["/a"] = redirect("/b?c", status)
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
        web.answers["/"] = redirect(location, status)
        said = await way.refused(web.url(), method="POST", body=b"s3cr3t")
        assert said == "denied: private address"
        assert (way.decision.category, way.decision.hops, way.decision.status) == ("private address", 1, None)
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
async def test_a_redirect_to_what_is_no_plain_url_ends_there(
    location: str, category: str, dev: WayOut, web: WebServer
) -> None:
    web.answers["/"] = redirect(location)
    assert (await dev.refused(web.url())).startswith("denied: ")
    assert dev.decision.category == category
    assert len(web.requests) == 1


async def test_a_redirect_to_a_port_that_is_not_open_is_on_record_with_its_host(
    dev: WayOut, web: WebServer
) -> None:
    web.answers["/"] = redirect("http://db.example:22/?token=s3cr3t")
    assert await dev.refused(web.url()) == "denied: port 22 is not open to scripts"
    assert (dev.decision.host, dev.decision.category) == ("db.example:22", "port")


@pytest.mark.parametrize("status", [307, 308])
async def test_a_body_is_sent_again_only_to_where_it_may_go(status: int, dev: WayOut, web: WebServer) -> None:
    web.answers["/a"] = redirect("/b", status)
    web.answers["/b"] = redirect("http://169.254.169.254/", status)
    assert await dev.refused(web.url("/a"), method="POST", body=b"s3cr3t") == "denied: private address"
    assert [(one.line, one.body) for one in web.requests] == [("POST /a", b"s3cr3t"), ("POST /b", b"s3cr3t")]
    assert dev.decision.bytes_out == 12


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_a_post_becomes_a_get_without_body(status: int, dev: WayOut, web: WebServer) -> None:
    web.answers["/a"] = redirect("/b", status)
    await dev.request(web.url("/a"), "POST", [["content-type", "text/plain"], ["x-a", "1"]], b"body")
    assert (web.requests[1].line, web.requests[1].body) == ("GET /b", b"")
    assert web.requests[1].header("content-type") is None
    assert web.requests[1].header("content-length") is None
    assert web.requests[1].header("x-a") == "1"


async def test_credentials_do_not_go_to_another_origin_nor_come_back(dev: WayOut, web: WebServer) -> None:
    web.answers["/a"] = redirect("/b")
    web.answers["/b"] = redirect(web.url("/c", "localhost"))
    web.answers["/c"] = redirect(web.url("/d"))
    await dev.request(web.url("/a"), headers=[["authorization", "s"], ["cookie", "c"], ["x-a", "1"]])
    seen = [(one.header("authorization"), one.header("cookie"), one.header("x-a")) for one in web.requests]
    assert seen == [("s", "c", "1"), ("s", "c", "1"), (None, None, "1"), (None, None, "1")]


async def test_cookies_of_an_answer_are_not_kept(dev: WayOut, web: WebServer) -> None:
    web.answers["/a"] = answer("302 Found", b"", "Set-Cookie: a=1; Path=/", "Location: /b")
    web.answers["/b"] = answer("200 OK", b"", "Set-Cookie: b=2", "Set-Cookie: c=3")
    got = await dev.request(web.url("/a"))
    assert got["headers"]["set-cookie"] == ["b=2", "c=3"]
    await dev.request(web.url("/c"))
    assert [one.header("cookie") for one in web.requests] == [None, None, None]


async def test_five_redirects_are_followed_and_no_more(dev: WayOut, web: WebServer) -> None:
    for number in range(6):
        web.answers[f"/{number}"] = redirect(f"/{number + 1}")
    assert (await dev.request(web.url("/1")))["url"] == web.url("/6")
    assert dev.decision.hops == 5
    web.requests.clear()
    assert await dev.refused(web.url("/0")) == "more than 5 redirects"
    assert (dev.decision.error, dev.decision.hops, len(web.requests)) == ("redirects", 5, 6)


async def test_a_redirect_to_itself_ends(dev: WayOut, web: WebServer) -> None:
    web.answers["/"] = redirect("/")
    assert await dev.refused(web.url()) == "more than 5 redirects"


@pytest.mark.parametrize("status", [300, 304, 305, 306])
async def test_other_answers_with_a_location_are_answers(status: int, dev: WayOut, web: WebServer) -> None:
    web.answers["/"] = answer(f"{status} Hm", b"", "Location: http://169.254.169.254/")
    assert (await dev.request(web.url()))["status"] == status


async def test_a_redirect_whose_body_never_ends_is_followed(dev: WayOut, web: WebServer) -> None:
    web.answers["/a"] = b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 99999999\r\n\r\nx"
    assert (await dev.request(web.url("/a")))["url"] == web.url("/b")
    assert web.connections == 2


async def test_the_deadline_is_for_all_hops(dev: WayOut, web: WebServer) -> None:
    async def slowly(_reader: Any, writer: Any) -> None:
        await asyncio.sleep(0.15)
        writer.write(redirect("/"))
        await writer.drain()

    web.answers["/"] = slowly
    assert await dev.refused(web.url(), timeout_ms=300) == "no response within 300 ms"
