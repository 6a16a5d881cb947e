"""What the guest is told of an execution, and what it is not."""

from __future__ import annotations

from uuid import UUID

import ormsgpack
import pytest

from picloud.execution.cause import HttpCause, ScriptRequest
from picloud.execution.invocation import MAX_INLINE_BODY, Invocation
from picloud.identity.principal import Principal
from tests.workbench import script

APP = UUID(int=77)
CALLER = Principal(UUID(int=9), "the-caller", "member")


def pack(request: ScriptRequest | None = None, ingress: str = "route") -> dict[str, object]:
    version = script("1", app=APP)
    made = Invocation(UUID(int=5), version, HttpCause(ingress, "r-1", request or ScriptRequest()), CALLER)
    unpacked = ormsgpack.unpackb(made.pack("0.1"))
    assert isinstance(unpacked, dict)
    return unpacked


def test_the_script_sees_its_request() -> None:
    request = ScriptRequest("PUT", "/a/b", {"x": "1"}, {"q": "2"}, {"p": "3"}, "rest", b"\xff", "a/b")
    told = pack(request)
    assert told["body"] == b"\xff"
    assert told["content_type"] == "a/b"
    context = told["ctx"]
    assert isinstance(context, dict)
    assert context["request"] == {
        "method": "PUT",
        "path": "/a/b",
        "headers": {"x": "1"},
        "query": {"q": "2"},
        "params": {"p": "3"},
        "rest": "rest",
    }
    assert (context["execution_id"], context["request_id"]) == (str(UUID(int=5)), "r-1")
    assert "event" not in context


def test_an_empty_body_is_none() -> None:
    assert pack()["body"] is None


def test_a_long_body_stays_behind() -> None:
    short = pack(ScriptRequest(body=bytes(MAX_INLINE_BODY)))
    assert short["body"] == bytes(MAX_INLINE_BODY)
    assert "body_length" not in short
    long = pack(ScriptRequest(body=bytes(MAX_INLINE_BODY + 1)))
    assert long["body_length"] == MAX_INLINE_BODY + 1
    assert "body" not in long


@pytest.mark.parametrize(("ingress", "kind"), [("route", "http"), ("execute", "http"), ("cli", "function")])
def test_the_ingress_sets_the_invocation_type(ingress: str, kind: str) -> None:
    context = pack(ingress=ingress)["ctx"]
    assert isinstance(context, dict)
    assert context["invocation_type"] == kind


def test_neither_app_nor_principal_cross_into_the_guest() -> None:
    version = script("1", app=APP)
    packed = Invocation(UUID(int=5), version, HttpCause("route", "r", ScriptRequest()), CALLER).pack("0.1")
    assert str(APP).encode() not in packed
    assert APP.bytes not in packed
    assert CALLER.username.encode() not in packed
    assert CALLER.user_id.bytes not in packed
