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
