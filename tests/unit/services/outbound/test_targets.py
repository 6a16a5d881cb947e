"""URLs: each has one meaning, the same for every library; ambiguous ones are denied."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from picloud.services.outbound import targets
from picloud.services.outbound.errors import Denied
from picloud.services.outbound.targets import MAX_URL, Destination, Targets

TARGETS = Targets(denied_ports=(5432, 6379))


def category(url: str) -> str:
    try:
        TARGETS.parse(url)
    except Denied as denied:
        return denied.category
    return "allowed"


@pytest.mark.parametrize(
    ("url", "host", "port", "shown"),
    [
        ("http://example.com", "example.com", 80, "http://example.com/"),
        ("https://example.com?", "example.com", 443, "https://example.com/"),
        ("HTTPS://EXAMPLE.com:443/A", "example.com", 443, "https://example.com/A"),
        ("http://example.com:443/", "example.com", 443, "http://example.com:443/"),
        (
            "http://a_b.example-1.com:8080/x?y=1#z",
            "a_b.example-1.com",
            8080,
            "http://a_b.example-1.com:8080/x?y=1",
        ),
        ("http://bücher.example/ü?q=ü&a[]=1", "xn--bcher-kva.example", 80, None),
        ("http://93.184.216.34/", "93.184.216.34", 80, "http://93.184.216.34/"),
        ("http://[2606:4700::1111]:8080/", "2606:4700::1111", 8080, "http://[2606:4700::1111]:8080/"),
        ("http://[2606:4700:0:0::1111]/", "2606:4700::1111", 80, "http://[2606:4700::1111]/"),
        ("http://localhost/", "localhost", 80, "http://localhost/"),
        ("http://x/a%20b/%zz", "x", 80, "http://x/a%20b/%zz"),
        ("http://x/@y:z", "x", 80, "http://x/@y:z"),
        ("http://x?@y", "x", 80, "http://x/?@y"),
    ],
)
def test_an_ordinary_url_is_parsed(url: str, host: str, port: int, shown: str | None) -> None:
    target = TARGETS.parse(url)
    assert (target.host, target.port) == (host, port)
    assert str(target) == shown or shown is None


def test_characters_are_percent_encoded_as_needed() -> None:
    target = TARGETS.parse("https://x/ü/<b>?q=ü&a[]=1|2")
    assert (target.path, target.query) == ("/%C3%BC/%3Cb%3E", "?q=%C3%BC&a[]=1%7C2")


ODD_ADDRESSES = [
    "2130706433", "017700000001", "0x7f000001", "0x7F000001", "127.1", "127.0.1", "0177.0.0.1",
    "0x7f.0.0.1", "0x7f.1", "127.0.0.01", "127.0.0.0x1", "127.0.0.1.", "127.0.0.1..", "1.2.3.4.5",
    "256.0.0.1", "127.0.0.256", "4294967297", "00000177.0.0.1", "0", "0x", "0.0", "1", ".127.0.0.1",
    "127..0.1", "١٢٧.0.0.1", "１２７.０.０.１", "127。0。0。1", "127．0．0．1", "①②⑦.0.0.1", "ⅰ27.0.0.1",
    "127.0.0.1%", "127.0.0.%31", "%31%32%37.0.0.1", "[::1", "::1]", "::1", "[::1%25lo]", "[::1%lo]",
    "[fe80::1%251]", "[::ffff:127.1]", "[::ffff:0x7f.0.0.1]", "[v1.x]", "[]", "[127.0.0.1]", "[::1]x",
    "x[::1]", "[[::1]]", "[:::1]", "[::g]", "[0:0:0:0:0:0:0:0:1]",
]  # fmt: skip


@pytest.mark.parametrize("host", ODD_ADDRESSES)
def test_unusual_spellings_of_addresses_are_denied(host: str) -> None:
    assert {category(f"http://{host}/"), category(f"http://{host}:8080/")} <= {"url"}


@pytest.mark.parametrize(
    "url",
    [
        "", "/", "//x/", "x", "x/y", "http:", "http:/", "http://", "http:///", "http:x", "http:/x",
        "http:///x", "http//x", "ftp://x/", "file:///etc/passwd", "gopher://x/", "javascript:1",
        "data:,x", "ws://x/", "httpss://x/", "ht\ttp://x/", "http://user@x/", "http://user:pw@x/",
        "http://@x/", "http://:@x/", "http://x@127.0.0.1/", "http://a@b@c/", "http://x\\@y/",
        "http:\\\\x", "http://x\\y", "http://x/\\", "http:/\\x", "\\\\x\\y", " http://x/", "http://x/ ",
        "http://x /", "http://x/a b", "http://x/\t", "http://x/\n", "http://x\r\n/", "http://x/\0",
        "http://x/\x7f", "http://x/\x85", "http://x/\u2028", "http://x/\ud800", "http://x\u3000/",
        "http://x\u200b/", "http://x:/", "http://x:0/", "http://x:65536/", "http://x:080/",
        "http://x:+80/", "http://x:-1/", "http://x:8 0/", "http://x:80:80/", "http://x:http/",
        "http://x:８０/", "http://x:99999999999999999999/", "http://:80/", "http://:/", "http://x./",
        "http://x../", "http://.x/", "http://x..y/", "http://-x/", "http://x-/", "http://./",
        "http://?x", "http://#x", "http://x%2ey/", "http://x%00/", "http://ex%61mple.com/",
        "http://x%40y/", "http://x*/", "http://$x/", "http://x,y/", "http://ｅxample.com/",
        "http://example。com/", "http://exa\u00admple.com/", "http://\u212a.example/", "http://ü\u212a.example/",
        "http://ⓛocalhost/", "http://" + "a" * 64 + "/", "http://" + "a." * 127 + "a/",
        "http://" + "ü" * 80 + ".example/", "http://x/" + "a" * MAX_URL,
    ],
    ids=lambda url: ascii(url)[:40],
)  # fmt: skip
def test_an_ambiguous_url_is_denied(url: str) -> None:
    assert category(url) == "url"


def test_a_host_that_is_too_long_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of labels of another script took a tenth of a second to encode."""
    read: list[str] = []
    monkeypatch.setattr(targets.idna, "encode", read.append)
    assert category("http://" + "ü." * 127 + "x/") == "url"
    assert read == []


def test_a_user_in_a_url_is_denied_with_advice() -> None:
    with pytest.raises(Denied, match="send an Authorization header"):
        TARGETS.parse("http://user:s3cr3t@x/")


@pytest.mark.parametrize(
    ("port", "verdict"),
    [(80, "allowed"), (443, "allowed"), (1024, "allowed"), (65535, "allowed"), (8080, "allowed")]
    + [(port, "port") for port in (1, 21, 22, 23, 25, 53, 79, 81, 442, 444, 1023, 5432, 6379)],
)
def test_only_web_ports_and_ports_from_1024_are_allowed(port: int, verdict: str) -> None:
    assert category(f"http://x:{port}/") == verdict


BASE = Destination("https", "a.example", 8443, "/one/two", "?q=1")


@pytest.mark.parametrize(
    ("location", "leads"),
    [
        ("http://b.example/x", "http://b.example/x"),
        ("//b.example/x", "https://b.example/x"),
        ("/x?y#z", "https://a.example:8443/x?y"),
        ("x", "https://a.example:8443/one/x"),
        ("./x/../y/", "https://a.example:8443/one/y/"),
        ("../../../x", "https://a.example:8443/x"),
        ("..", "https://a.example:8443/"),
        (".", "https://a.example:8443/one/"),
        ("?r=2", "https://a.example:8443/one/two?r=2"),
        ("?", "https://a.example:8443/one/two"),
        ("#x", "https://a.example:8443/one/two?q=1"),
        ("..//b.example/x", "https://a.example:8443//b.example/x"),
        ("x;y", "https://a.example:8443/one/x;y"),
        ("@b.example/", "https://a.example:8443/one/@b.example/"),
    ],
)
def test_a_redirect_is_resolved_by_rfc_3986(location: str, leads: str) -> None:
    assert str(TARGETS.follow(BASE, location)) == leads


@pytest.mark.parametrize(
    ("location", "leads"),
    [
        (b"/a b?c d", "/a%20b?c%20d"),
        (b" \t/a \t", "/a"),
        (b"/caf\xe9?\xff", "/caf%E9?%FF"),
        ("/caf\u00e9?\u2028\u00a0\u0085".encode(), "/caf%C3%A9?%E2%80%A8%C2%A0%C2%85"),
        (b"/%41%2f%zz", "/%41%2f%zz"),
        (b'/"<>`{}|^?"<>', "/%22%3C%3E%60%7B%7D%7C%5E?%22%3C%3E"),
        (b"a b/../c d", "/b/c%20d"),
        (b"http://a.example/x y\xff#a b", "/x%20y%FF"),
        (b"//a.example/x y", "/x%20y"),
        (b"?x y", "/b/c?x%20y"),
        (b"/a b:c//d", "/a%20b:c//d"),
    ],
)
def test_a_redirect_is_encoded_as_browsers_do(location: bytes, leads: str) -> None:
    base = TARGETS.parse("http://a.example/b/c?d")
    received = location.decode("utf-8", "surrogateescape")  # as aiohttp does
    assert str(TARGETS.follow(base, received)) == f"http://a.example{leads}"


@pytest.mark.parametrize(
    ("location", "verdict"),
    [
        ("http:/x", "url"), ("http:x", "url"), ("https:", "url"), ("ftp://x/", "url"), ("data:,x", "url"),
        ("javascript:1", "url"), ("file:///etc/passwd", "url"), ("/\\x", "url"), ("\\\\x\\y", "url"),
        ("//user@x/", "url"), ("//", "url"), ("///x", "url"), ("//x:0/", "url"), ("//a b/", "url"),
        ("/a\tb", "url"), ("//127.1/", "url"), ("//\udcff/", "url"), ("//x\xa0/", "url"), ("/\x01", "url"),
        ("//x:22/", "port"),
        ("http://x:5432/", "port"),
    ],
    ids=ascii,
)  # fmt: skip
def test_a_redirect_to_an_ambiguous_url_is_denied(location: str, verdict: str) -> None:
    with pytest.raises(Denied) as denied:
        TARGETS.follow(BASE, location)
    assert denied.value.category == verdict


HOSTS = st.sampled_from(
    ["x.example", "127.0.0.1", "[::1]", "127.1", "bücher.example", "0x7f.1", "１２７.0.0.1", "a_b"]
)
PIECES = st.sampled_from(
    ["@", ":", "/", "//", "\\", "?", "#", "%40", "[", "]", ".", "80", "8080", " ", "\t", "。", "x", ";", "&"]
)
URLS = st.one_of(
    st.text(max_size=40).map("http://".__add__),
    st.lists(st.one_of(HOSTS, PIECES, st.text(max_size=3)), max_size=8).map(
        lambda parts: "http://" + "".join(parts)
    ),
    st.tuples(
        st.sampled_from(["http", "https", "HTTP"]), HOSTS, st.integers(0, 70000), st.text(max_size=10)
    ).map(lambda parts: f"{parts[0]}://{parts[1]}:{parts[2]}/{parts[3]}"),
)


@given(URLS)
@example("http://x#@y/")
@example("http://x?@y/")
@example("http://x/@y/")
def test_no_library_reads_another_host_in_an_accepted_url(url: str) -> None:
    try:
        target = Targets().parse(url)
    except Denied:
        return
    for text in (url, str(target)):
        split = urlsplit(text)
        yarl = URL(text)
        assert (split.scheme, split.port or target.port, yarl.port) == (
            target.scheme,
            target.port,
            target.port,
        )
        assert _same(yarl.raw_host or "", target.host)
        if text.isascii():
            assert _same(split.hostname or "", target.host)
        assert split.username is split.password is yarl.user is None
    sent = URL(str(target), encoded=True)  # what the client is given
    assert (sent.raw_host, sent.port, sent.raw_path_qs) == (
        target.host,
        target.port,
        target.path + target.query,
    )
    assert Targets().parse(str(target)) == target
    assert re.fullmatch(r"[\x21-\x7e]+", str(target))


def _same(read: str, host: str) -> bool:
    return read == host or (":" in host and ip_address(read) == ip_address(host))


@given(st.text(max_size=40), URLS)
def test_a_redirect_stays_on_its_host_unless_it_names_another(location: str, url: str) -> None:
    for leads in (location, url.removeprefix("http:")):
        try:
            target = Targets().follow(BASE, leads)
        except Denied:
            continue
        leads = leads.strip(" \t")
        if not leads.startswith("//") and not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", leads):
            assert target.origin == BASE.origin
