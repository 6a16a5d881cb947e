"""Hostile and unusual bytes, sent to a real socket: each ends as the table says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from tests.integration.http.wire import Wire, error, statuses, wired
from tests.isolation.raw_requests import AMBIGUOUS, EXCESSIVE, GET, SERVED


@pytest.fixture
async def plain() -> AsyncIterator[Wire]:
    async with wired() as wire:
        yield wire


@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_an_ambiguous_request_is_rejected_and_ends_the_connection(
    plain: Wire, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    answers = await plain.send(AMBIGUOUS[name] + GET)
    assert statuses(answers) == [400], answers
    assert error(answers)["code"] == "request_invalid"
    assert not caplog.records  # or anyone could fill the log


@pytest.mark.parametrize("name", EXCESSIVE)
async def test_a_too_large_or_unfinished_request_is_rejected_and_ends_the_connection(
    plain: Wire, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    sent, status, code = EXCESSIVE[name]
    answers = await plain.send(sent + GET)
    assert statuses(answers) == [status], answers[:200]
    assert error(answers)["code"] == code
    assert not caplog.records


@pytest.mark.parametrize("name", SERVED)
async def test_an_unusual_but_unambiguous_request_is_served(plain: Wire, name: str) -> None:
    served = SERVED[name]
    answers = await plain.send(served.sent)
    assert statuses(answers) == [200] * served.responses, answers
    first = answers.split(b"\r\n\r\n", 1)[1]
    told, _ = json.JSONDecoder().raw_decode(first.decode())
    assert [told["method"], told["target"], told["host"], told["body"]] == [
        served.method,
        served.target,
        served.host,
        served.body,
    ]


LASTING = [
    served.sent
    for served in SERVED.values()
    if len(served.sent) < 1000
    and not any(word in served.sent for word in (b"close", b"upgrade", b"HTTP/1.0"))
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
async def test_in_pieces_of_any_size_the_same_requests_are_found(plain: Wire, size: int) -> None:
    sent = b"".join(LASTING)
    whole = statuses(await plain.send(sent))
    assert len(whole) > len(LASTING)
    assert statuses(await plain.send(sent, piece=size)) == whole
