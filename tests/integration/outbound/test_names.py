"""Names: all addresses must be allowed, and the checked address is the one connected to."""

from __future__ import annotations

import asyncio
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from picloud.services.outbound.apps import OutboundLimits
from picloud.services.outbound.connector import MAX_ADDRESSES
from tests.integration.outbound.conftest import Make, WayOut
from tests.integration.outbound.servers import NameServer, WebServer, unused_port
from tests.workbench import until

PUBLIC = "198.41.0.4"
DENIED = [
    "127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0", "168.63.129.16", "::1", "::ffff:127.0.0.1",
    "64:ff9b::7f00:1", "2002:7f00:1::", "2001::1", "fe80::1", "fd00::1", "::7f00:1", "ff02::1",
]  # fmt: skip


@pytest.mark.parametrize("address", DENIED)
async def test_a_name_of_a_denied_address_is_denied(
    address: str, strict: WayOut, names: NameServer, web: WebServer, attempts: list[Any]
) -> None:
    names.names["evil.example"] = [[address]]
    for scheme in ("http", "https"):
        assert await strict.denied(f"{scheme}://evil.example:{web.port}/") == "private address"
        assert strict.decision.host == f"evil.example:{web.port}"
    assert (web.connections, attempts) == (0, [])


@pytest.mark.parametrize("address", DENIED)
async def test_one_denied_address_among_many_denies_them_all(
    address: str, strict: WayOut, names: NameServer, attempts: list[Any]
) -> None:
    public = [PUBLIC, "2606:4700::1111"]
    for number, order in enumerate(permutations([*public, address])):
        names.names[f"mixed{number}.example"] = [order]
        assert await strict.denied(f"http://mixed{number}.example/") == "private address"
    assert attempts == []


async def test_the_last_of_very_many_addresses_is_checked_too(
    strict: WayOut, names: NameServer, attempts: list[Any]
) -> None:
    names.names["many.example"] = [[*(f"198.41.0.{last}" for last in range(1, 60)), "10.0.0.1"]]
    assert await strict.denied("http://many.example/") == "private address"
    assert attempts == []


async def test_the_number_of_tried_addresses_is_limited(
    make: Make, names: NameServer, attempts: list[Any]
) -> None:
    names.names["many.example"] = [[f"127.0.1.{last}" for last in range(1, 60)]]
    port = unused_port()
    way = make(allow_private=True)
    assert await way.failed(f"http://many.example:{port}/") == "connect"
    assert len(set(attempts)) == MAX_ADDRESSES


async def test_a_name_that_changes_between_requests_is_checked_every_time(
    make: Make, names: NameServer, web: WebServer, attempts: list[Any]
) -> None:
    names.names["turns.example"] = [["127.0.0.1"], ["169.254.169.254"]]
    way = make(allow_private=True)
    url = f"http://turns.example:{web.port}/"
    web.responses["/"] = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    assert (await way.request(url))["status"] == 200
    assert await way.denied(url) == "private address"
    assert [address[0] for address in attempts] == ["127.0.0.1"]


async def test_what_was_checked_is_what_is_connected_to(
    strict: WayOut, names: NameServer, web: WebServer, attempts: list[Any]
) -> None:
    """A name that changes to this machine right after its lookup reaches nothing here."""
    names.names["rebinds.example"] = [[PUBLIC], ["127.0.0.1"]]
    assert await strict.failed(f"http://rebinds.example:{web.port}/", timeout_ms=300) is not None
    assert names.asked["rebinds.example"] == 1
    assert {address[0] for address in attempts} == {PUBLIC}
    assert web.connections == 0


async def test_a_reused_connection_keeps_its_checked_address(
    make: Make, names: NameServer, web: WebServer, attempts: list[Any]
) -> None:
    names.names["rebinds.example"] = [["127.0.0.1"], ["10.0.0.1"]]
    way = make(allow_private=True)
    for _ in range(3):
        assert (await way.request(f"http://rebinds.example:{web.port}/"))["status"] == 200
    assert [address[0] for address in attempts] == ["127.0.0.1"]
    assert web.connections == 1


async def test_an_unknown_name_is_reported(strict: WayOut, attempts: list[Any]) -> None:
    assert await strict.failed("http://nowhere.example/") == "lookup"
    assert attempts == []


async def test_a_silent_name_server_ends_at_the_deadline(
    strict: WayOut, names: NameServer, attempts: list[Any]
) -> None:
    names.silent.add("slow.example")
    assert await strict.failed("http://slow.example/", timeout_ms=200) == "timeout"
    assert attempts == []


@pytest.fixture
async def stuck(make: Make, names: NameServer) -> WayOut:
    """An app at its limit of lookups, all of them waiting."""
    names.silent.add("slow.example")
    way = make(limits=OutboundLimits(calls=8, app_calls=2), allow_private=True)
    for _ in range(2):  # lookups go on when their calls are over
        calls = [
            way.of(way.call.app_id).failed(f"http://slow.example:{port}/", timeout_ms=50)
            for port in (80, 8080)
        ]
        assert set(await asyncio.gather(*calls)) == {"timeout"}
    return way


async def test_slow_lookups_of_one_app_do_not_delay_other_apps(
    stuck: WayOut, web: WebServer, names: NameServer
) -> None:
    names.names["web.example"] = [["127.0.0.1"]]
    url = f"http://web.example:{web.port}/"
    assert await stuck.failed(url) == "lookup"
    other = stuck.of(UUID(int=2))
    assert (await other.request(url))["status"] == 200
    assert (await stuck.request(web.url()))["status"] == 200  # an address needs no lookup
    names.silent.clear()
    await until(lambda: not stuck.outbound.apps._apps[stuck.call.app_id].lookups)
    assert (await stuck.request(url))["status"] == 200
