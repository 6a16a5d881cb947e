"""Promises of routing/hosts.py."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from picloud.core.errors import Invalid
from picloud.routing.hosts import HostPattern, covering, host_name, parse_claim, parse_host

label = st.from_regex(r"[a-z_]([a-z0-9_-]{0,5}[a-z0-9_])?", fullmatch=True).filter(
    lambda text: not text.startswith("xn--")
)
host = st.lists(label, min_size=1, max_size=4).map(".".join)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost", "localhost"),
        ("LOCALHOST:8123", "localhost"),
        ("localhost.", "localhost"),
        ("localhost.:80", "localhost"),
        ("localhost:", "localhost"),
        ("[::1]", "[::1]"),
        ("[::1]:8123", "[::1]"),
        ("[0:0::1]", "[::1]"),
        ("[::FFFF]", "[::ffff]"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("bücher。example:1", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("my_host", "my_host"),
        ("", ""),
        ("[", ""),
        ("[]", ""),
        ("[::1", ""),
        ("[::1]x", ""),
        ("[::1%eth0]", ""),
        ("[127.0.0.1]", ""),
        (":80", ""),
        ("localhost:80:80", ""),
        ("localhost:evil", ""),
        ("user@localhost", ""),
        (".example.com", ""),
        ("a..example.com", ""),
        ("a b.example.com", ""),
        ("<x>.example.com", ""),
        ("example.com/x", ""),
        ("localhost..", ""),
        ("a." * 200 + "com", ""),
        ("ü" * 2000, ""),
        ("\udce9.example", ""),
    ],
)
def test_a_host_header_is_reduced_to_one_name_or_to_nothing(header: str, name: str) -> None:
    assert host_name(header) == name


@given(st.text(max_size=40) | st.text("ab.:[]1é*-_ ", max_size=20))
@example("xn--")
@example("ß.\u200d")
def test_a_normalized_host_stays_the_same(header: str) -> None:
    name = host_name(header)
    assert host_name(name) == name
    assert name == name.lower()
    assert name.isascii()


@given(host, st.integers(0, 65535), st.booleans(), st.booleans())
def test_case_port_and_the_dot_of_the_root_make_no_difference(
    name: str, port: int, dot: bool, upper: bool
) -> None:
    spelled = (name.upper() if upper else name) + ("." if dot else "") + f":{port}"
    assert host_name(spelled) == name
    assert parse_claim(name.upper() if upper else name) == name


@given(st.text(max_size=30) | st.text("abxn.:[]12é*-_ ", max_size=20))
@example("xn--a")
@example("::1")
def test_what_can_be_claimed_is_what_requests_are_compared_with(text: str) -> None:
    try:
        claim = parse_claim(text)
    except Invalid:
        return
    assert parse_claim(claim) == claim
    sent = claim.replace("*", "any")
    assert host_name(sent) == sent


@pytest.mark.parametrize(
    ("pattern", "claim"),
    [
        ("API.Example.com", "api.example.com"),
        ("localhost", "localhost"),
        ("example.com.", "example.com"),
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "[::1]"),
        ("[0:0::1]", "[::1]"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("my_host", "my_host"),
        (" *.Example.com ", "*.example.com"),
        ("*.bücher.example", "*.xn--bcher-kva.example"),
        ("*.com", "*.com"),
    ],
)
def test_a_claim_is_stored_in_one_form(pattern: str, claim: str) -> None:
    assert parse_claim(pattern) == claim


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("", "not a host name"),
        (".", "not a host name"),
        ("a..b", "not a host name"),
        ("a b", "not a host name"),
        ("exa\0mple.com", "not a host name"),
        ("-a.com", "not a host name"),
        ("a" * 64 + ".com", "not a host name"),
        ("a/b", "not a host name"),
        ("ü" * 300, "not a host name"),
        ("xn--a.com", "not a host name"),
        ("\ud800.com", "not a host name"),
        ("example.com:80", "without scheme and port"),
        ("*.example.com:80", "without scheme and port"),
        ("*", "stands first and for whole labels"),
        ("a.*.com", "stands first and for whole labels"),
        ("a*.com", "stands first and for whole labels"),
        ("*.", "not a host name"),
        ("*.*.com", "not a host name"),
        ("*.127.0.0.1", "below an IP address"),
        ("*.1", "ends in a number"),
        ("1.2.3", "ends in a number"),
        ("127.1", "ends in a number"),
    ],
)
def test_an_invalid_host_is_rejected_with_the_reason(pattern: str, reason: str) -> None:
    with pytest.raises(Invalid, match=reason) as caught:
        parse_claim(pattern)
    assert caught.value.details["field"] == "pattern"


@given(st.sampled_from(["", "*.", ":tenant."]), host)
def test_a_host_pattern_is_printed_as_it_is_parsed(before: str, name: str) -> None:
    pattern = parse_host(before + name)
    assert str(pattern) == before + name or name == "any"
    assert parse_host(str(pattern)) == pattern


@pytest.mark.parametrize(
    ("text", "pattern", "shape"),
    [
        ("any", HostPattern("any"), "any"),
        ("API.x.t", HostPattern("strict", "api.x.t"), "api.x.t"),
        ("::1", HostPattern("strict", "[::1]"), "[::1]"),
        ("*.X.t", HostPattern("wildcard", "x.t"), "*.x.t"),
        (":Tenant.X.t", HostPattern("wildcard", "x.t", "Tenant"), "*.x.t"),
    ],
)
def test_the_kind_of_a_host_follows_from_its_pattern(text: str, pattern: HostPattern, shape: str) -> None:
    assert parse_host(text) == pattern
    assert pattern.shape == shape


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("*", "stands first and for whole labels"),
        ("x.*.t", "stands first and for whole labels"),
        (":1.x.t", "a parameter is ':' and a name"),
        (":a-b.x.t", "a parameter is ':' and a name"),
        (":tenant", "stands before a name"),
        (":tenant.", "not a host name"),
        (":a.:b.t", "without scheme and port"),
        ("x.:a.t", "without scheme and port"),
        ("x.t:80", "without scheme and port"),
        (":a.127.0.0.1", "below an IP address"),
        ("a b", "not a host name"),
        ("", "not a host name"),
    ],
)
def test_invalid_host_patterns_are_rejected_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(Invalid, match=reason) as caught:
        parse_host(text)
    assert caught.value.details["field"] == "host"


@pytest.mark.parametrize(
    ("shape", "claims"),
    [
        ("a.b.c", ["a.b.c", "*.b.c", "*.c"]),
        ("*.b.c", ["*.b.c", "*.c"]),
        ("localhost", ["localhost"]),
        ("127.0.0.1", ["127.0.0.1"]),
        ("[::1]", ["[::1]"]),
    ],
)
def test_a_host_lies_in_every_wildcard_above_it(shape: str, claims: list[str]) -> None:
    assert covering(shape) == claims
