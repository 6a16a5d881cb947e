from __future__ import annotations

from ipaddress import ip_address, ip_network
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from picloud.http.edge.peer import Peer, Proxies, normalize_address, peer

TRUSTED = Proxies([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])

addresses = st.ip_addresses().map(lambda address: normalize_address(str(address)))
outsiders = addresses.filter(lambda address: not TRUSTED.trust(address))
insiders = st.one_of(
    st.ip_addresses(v=4, network="10.0.0.0/8"), st.ip_addresses(v=6, network="fd00::/8")
).map(str)


class Asked(dict[object, object]):
    """What is asked of a request, and what is kept on it."""

    def __init__(self, *headers: tuple[str, str], trusted: bool = True) -> None:
        super().__init__()
        self.protocol = SimpleNamespace(address="10.0.0.1", proxies=TRUSTED if trusted else None)
        self.headers = CIMultiDict([("Host", "own.test"), *headers])


def asked(*headers: tuple[str, str], trusted: bool = True) -> Peer:
    request: Any = Asked(*headers, trusted=trusted)
    return peer(request)


def decorated(address: str, how: str) -> str:
    if how == "plain":
        return address
    if ":" not in address:
        return f" {address}:4711"
    return f"[{address}]" if how == "brackets" else f"[{address}]:4711\t"


decorations = st.sampled_from(["plain", "brackets", "port"])


@given(
    forged=st.lists(st.text(st.characters(exclude_characters=",", codec="latin-1")), max_size=5),
    client=outsiders,
    proxies=st.lists(insiders, max_size=5),
    how=decorations,
)
def test_the_client_is_the_last_untrusted_hop(
    forged: list[str], client: str, proxies: list[str], how: str
) -> None:
    chain = [*forged, decorated(client, how), *(decorated(proxy, how) for proxy in proxies)]
    assert TRUSTED.client(",".join(chain), "10.0.0.1") == (client, len(proxies) + 1)


@given(st.text(), insiders)
def test_the_client_is_always_an_address(sent: str, connected: str) -> None:
    address, proxies = TRUSTED.client(sent, connected)
    assert str(ip_address(address)) == address
    assert proxies >= 1


@given(addresses, decorations)
def test_an_address_is_written_in_one_way(address: str, how: str) -> None:
    assert normalize_address(decorated(address, how)) == address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::FFFF:192.0.2.1]:80", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]", "fe80::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        *(
            (garbage, "")
            for garbage in ("", "unknown", "_hidden", "1.2.3", "1.2.3.4:", "1.2.3.4:x", "[1.2.3.4]")
        ),
        *(
            (garbage, "")
            for garbage in ("1.2.3.4%x", "1.2.3.4:123456", "[::1", "::1]", '"::1"', "01.2.3.4", "٣.1.1.1")
        ),
    ],
)
def test_addresses_as_proxies_and_sockets_write_them(text: str, address: str) -> None:
    assert normalize_address(text) == address


FORWARDED = (
    ("X-Forwarded-For", "192.0.2.7"),
    ("X-Forwarded-Proto", "HTTPS"),
    ("X-Forwarded-Host", "a.test:8"),
)


def test_a_trusted_proxy_is_believed_and_no_one_else() -> None:
    assert asked(*FORWARDED) == Peer("192.0.2.7", "https", "a.test:8")
    assert asked(*FORWARDED, trusted=False) == Peer("10.0.0.1", "http", "own.test")
    assert asked(("Forwarded", "for=192.0.2.7;proto=https;host=a.test")) == Peer(
        "10.0.0.1", "http", "own.test"
    )


def test_missing_proxy_headers_are_taken_from_the_request() -> None:
    assert asked() == Peer("10.0.0.1", "http", "own.test")
    empty = [(name, " ") for name, _ in FORWARDED]
    assert asked(*empty) == Peer("10.0.0.1", "http", "own.test")
    assert asked(("X-Forwarded-Proto", "gopher")).scheme == "http"


def test_a_chain_can_be_in_one_or_several_headers() -> None:
    split = (("X-Forwarded-For", "6.6.6.6, 192.0.2.7"), ("X-Forwarded-For", "10.9.9.9"))
    assert asked(*split).address == "192.0.2.7"


@pytest.mark.parametrize(
    ("for_", "host", "said"),
    [
        ("192.0.2.7", "forged.test, a.test", "a.test"),
        ("192.0.2.7, 10.0.0.2", "a.test, inner.test", "a.test"),
        ("192.0.2.7, 10.0.0.2", "forged.test, a.test, inner.test", "a.test"),
        ("192.0.2.7, 10.0.0.2", "a.test", "a.test"),
        ("junk", "forged.test, a.test", "a.test"),
    ],
)
def test_of_a_list_the_outermost_trusted_proxys_word_counts(for_: str, host: str, said: str) -> None:
    assert asked(("X-Forwarded-For", for_), ("X-Forwarded-Host", host)).host == said


def test_the_peer_of_a_request_is_computed_once() -> None:
    request: Any = Asked(("X-Forwarded-For", "192.0.2.1"))
    first = peer(request)
    request.headers.clear()
    assert peer(request) is first
    assert first.address == "192.0.2.1"
