"""Promises of identity/setup.py."""

from __future__ import annotations

import asyncio

import pytest

from picloud.core.errors import Invalid, SetupOver
from picloud.identity.actor import Actor
from tests.integration.conftest import Worker

NOBODY = Actor(None, "nobody", "192.0.2.1", "r1", "setup.complete")


async def test_bootstrap_creates_the_first_owner_only(worker: Worker) -> None:
    setup = worker.platform.setup
    owner = await setup.bootstrap("ada", "correct horse")
    assert owner is not None
    assert owner.role == "owner"
    assert await setup.bootstrap("eve", "correct horse") is None
    assert await setup.bootstrap("", "") is None
    assert await setup.create_link() is None


async def test_concurrent_servers_create_one_owner(worker: Worker) -> None:
    made = await asyncio.gather(
        *(worker.platform.setup.bootstrap(f"ada{n}", "correct horse") for n in range(5))
    )
    assert len([owner for owner in made if owner is not None]) == 1


async def test_invalid_bootstrap_values_are_reported_and_create_nothing(worker: Worker) -> None:
    for username, password in (("", "correct horse"), ("ada", "short")):
        with pytest.raises(Invalid):
            await worker.platform.setup.bootstrap(username, password)
    assert not await worker.platform.setup.is_complete()


async def test_a_link_is_stored_as_a_hash_works_once_and_only_for_an_hour(worker: Worker) -> None:
    setup = worker.platform.setup
    late = await setup.create_link()
    assert late is not None
    assert late.encode() not in await worker.database.fetchval("SELECT token_hash FROM setup_links")
    await worker.database.execute("UPDATE setup_links SET expires_at = now()")
    with pytest.raises(SetupOver):
        await setup.complete(late, "ada", "correct horse", NOBODY)
    good = await setup.create_link()
    assert good is not None
    assert await worker.database.fetchval("SELECT count(*) FROM setup_links") == 1
    with pytest.raises(Invalid):
        await setup.complete(good, "ada", "short", NOBODY)
    assert (await setup.complete(good, "ada", "correct horse", NOBODY)).role == "owner"
    with pytest.raises(SetupOver):
        await setup.complete(good, "eve", "correct horse", NOBODY)


async def test_a_link_is_inert_once_a_user_exists(worker: Worker) -> None:
    link = await worker.platform.setup.create_link()
    assert link is not None
    await worker.person("ada", "owner")
    assert not await worker.platform.setup.is_valid_link(link)
    with pytest.raises(SetupOver):
        await worker.platform.setup.complete(link, "eve", "correct horse", NOBODY)
