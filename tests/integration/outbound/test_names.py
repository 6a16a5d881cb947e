"""Names: every address of one must be allowed, and what was checked is what is connected to."""

from __future__ import annotations

import asyncio
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from picloud.services.outbound.apps import Bounds
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
async def test_a_name_for_a_denied_address_is_refused(
    address: str, strict: WayOut, names: NameServer, web: WebServer, attempts: list[Any]
) -> None:
    names.names["evil.example"] = [[address]]
    for scheme in ("http", "https"):
        assert await strict.refused(f"{scheme}://evil.example:{web.port}/") == "denied: private address"
        assert (strict.decision.host, strict.decision.category) == (
            f"evil.example:{web.port}",
            "private address",
        )
    assert (web.connections, attempts) == (0, [])


@pytest.mark.parametrize("address", DENIED)
async def test_one_denied_address_among_many_denies_them_all(
    address: str, strict: WayOut, names: NameServer, attempts: list[Any]
) -> None:
    public = [PUBLIC, "2606:4700::1111"]
    for number, order in enumerate(permutations([*public, address])):
        names.names[f"mixed{number}.example"] = [order]
        assert await strict.refused(f"http://mixed{number}.example/") == "denied: private address"
    assert attempts == []


async def test_the_last_of_very_many_addresses_is_checked_too(
    strict: WayOut, names: NameServer, attempts: list[Any]
) -> None:
    names.names["many.example"] = [[*(f"198.41.0.{last}" for last in range(1, 60)), "10.0.0.1"]]
    assert await strict.refused("http://many.example/") == "denied: private address"
    assert attempts == []


async def test_of_very_many_addresses_only_some_are_tried(
    make: Make, names: NameServer, attempts: list[Any]
) -> None:
    names.names["many.example"] = [[f"127.0.1.{last}" for last in range(1, 60)]]
    port = unused_port()
    way = make(allow_private=True)
    assert await way.refused(f"http://many.example:{port}/") == f"cannot connect to many.example:{port}"
    assert len(set(attempts)) == MAX_ADDRESSES


async def test_a_name_that_changes_between_requests_is_checked_every_time(
    make: Make, names: NameServer, web: WebServer, attempts: list[Any]
) -> None:
    names.names["turns.example"] = [["127.0.0.1"], ["169.254.169.254"]]
    way = make(allow_private=True)
    url = f"http://turns.example:{web.port}/"
    web.answers["/"] = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    assert (await way.request(url))["status"] == 200
    assert await way.refused(url) == "denied: private address"
    assert [address[0] for address in attempts] == ["127.0.0.1"]


async def test_what_was_checked_is_what_is_connected_to(
    strict: WayOut, names: NameServer, web: WebServer, attempts: list[Any]
) -> None:
    """A name that turns to this machine right after it was looked up gets nothing here."""
    names.names["rebinds.example"] = [[PUBLIC], ["127.0.0.1"]]
    said = await strict.refused(f"http://rebinds.example:{web.port}/", timeout_ms=300)
    assert not said.startswith("refused")
    assert names.asked["rebinds.example"] == 1
    assert {address[0] for address in attempts} == {PUBLIC}
    assert web.connections == 0


async def test_a_connection_that_is_reused_goes_where_it_was_checked_to_go(
    make: Make, names: NameServer, web: WebServer, attempts: list[Any]
) -> None:
    names.names["rebinds.example"] = [["127.0.0.1"], ["10.0.0.1"]]
    way = make(allow_private=True)
    for _ in range(3):
        assert (await way.request(f"http://rebinds.example:{web.port}/"))["status"] == 200
    assert [address[0] for address in attempts] == ["127.0.0.1"]
    assert web.connections == 1


async def test_a_name_that_nobody_knows_is_said_to_be_so(strict: WayOut, attempts: list[Any]) -> None:
    assert await strict.refused("http://nowhere.example/") == "nowhere.example could not be looked up"
    assert (strict.decision.category, strict.decision.error) == ("allowed", "lookup")
    assert attempts == []


async def test_a_name_server_that_does_not_answer_ends_by_the_deadline(
    strict: WayOut, names: NameServer, attempts: list[Any]
) -> None:
    names.silent.add("slow.example")
    assert await strict.refused("http://slow.example/", timeout_ms=200) == "no response within 200 ms"
    assert (strict.decision.error, attempts) == ("timeout", [])


@pytest.fixture
async def stuck(make: Make, names: NameServer) -> WayOut:
    """An app whose lookups hang, as many as it may have."""
    names.silent.add("slow.example")
    way = make(bounds=Bounds(calls=8, app_calls=2), allow_private=True)
    for _ in range(2):  # lookups go on when their calls are over
        told = [way.refused(f"http://slow.example:{port}/", timeout_ms=50) for port in (80, 8080)]
        assert set(await asyncio.gather(*told)) == {"no response within 50 ms"}
    return way


async def test_slow_lookups_of_one_app_are_bounded_and_hold_up_no_other(
    stuck: WayOut, web: WebServer, names: NameServer
) -> None:
    names.names["web.example"] = [["127.0.0.1"]]
    url = f"http://web.example:{web.port}/"
    assert "looks up too many hosts" in await stuck.refused(url)
    other = stuck.of(UUID(int=2))
    assert (await other.request(url))["status"] == 200
    assert (await stuck.request(web.url()))["status"] == 200  # an address needs no lookup
    names.silent.clear()
    await until(lambda: not stuck.outbound.apps._apps[stuck.call.app_id].lookups)
    assert (await stuck.request(url))["status"] == 200
