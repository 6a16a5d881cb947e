"""Text of a server never controls the terminal."""

from __future__ import annotations

from typing import cast

import pytest

from picloud.cli.remote.client import Client
from picloud.cli.remote.logs import Names, shown
from picloud.cli.remote.output import print_fields

HOSTILE = "\x1b[2J\x9b1A\u202e"
SAFE = "\\x1b[2J\\x9b1A\\u202e"


def test_names_and_values_of_fields_are_plain(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields({HOSTILE: HOSTILE, "b": 1})
    assert capsys.readouterr().out.splitlines()[0] == f"{SAFE}  {SAFE}"


_CALL = {
    "method": HOSTILE,
    "host": HOSTILE,
    "category": "allowed",
    "status": HOSTILE,
    "error": HOSTILE,
    "hops": HOSTILE,
    "ms": 1.0,
    "bytes_out": HOSTILE,
    "bytes_in": HOSTILE,
}


async def test_every_part_of_an_execution_is_plain() -> None:
    item = {
        "started_at": "2026-01-01T00:00:00+00:00",
        "request": {"method": HOSTILE, "path": HOSTILE},
        "ingress": HOSTILE,
        "script_id": HOSTILE,
        "outcome": HOSTILE,
        "status": HOSTILE,
        "version": HOSTILE,
        "wall_ms": 1.0,
        "logs": [{"level": HOSTILE, "message": HOSTILE, "data": HOSTILE}],
        "logs_dropped": HOSTILE,
        "outbound": [_CALL, {**_CALL, "category": HOSTILE}],
        "outbound_dropped": HOSTILE,
        "error": {"message": HOSTILE, "line": HOSTILE, "column": HOSTILE, "module": HOSTILE},
    }
    said = await shown(item, Names(cast("Client", None), ""))
    assert all(character == "\n" or (character.isprintable() and character != "\u202e") for character in said)


async def test_an_execution_shows_gaps_in_its_log_and_a_thrown_value() -> None:
    item = {
        "started_at": "2026-01-01T00:00:00+00:00",
        "ingress": "execute",
        "script_id": "1",
        "outcome": "script_error",
        "status": 502,
        "version": 1,
        "wall_ms": 1.0,
        "logs": [
            {"level": "info", "message": "first", "data": [1]},
            {"level": "info", "message": "last", "data": None, "dropped": 7},
        ],
        "logs_dropped": 9,
        "outbound": [],
        "outbound_dropped": 0,
        "error": {
            "message": "no",
            "line": 1,
            "column": 2,
            "module": None,
            "thrown": {"message": "no", "code": 1},
        },
    }
    said = [line.strip() for line in (await shown(item, Names(cast("Client", None), ""))).splitlines()[1:]]
    assert said == [
        "info first [1]",
        "(7 lines were dropped)",
        "info last",
        "(2 more lines were dropped)",
        "error no (line 1, column 2)",
        'threw {"message":"no","code":1}',
    ]
    item["error"] |= {"message": "42 (in function f)", "thrown": 42}  # type: ignore[operator]
    assert "threw" not in await shown(item, Names(cast("Client", None), ""))
