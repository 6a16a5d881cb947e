"""The applications in `examples/`, pushed with the command line to a real server and used over HTTP."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.running import OWNER, Answer, Server
from tests.acceptance.site import Site
from tests.acceptance.walk import ROOT, Walk, blocks
from tests.scratch import scratch_folder

EXAMPLES = ("blog", "links", "webhook")
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def site(first_start: Path) -> Iterator[Site]:
    with scratch_folder(0o711, " examples") as folder:
        subprocess.run(["cp", "-a", first_start, folder / "data"], check=True)
        shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns(".picloud"))
        with Server(folder / "data") as server:
            site = Site(server, folder)
            name, password = OWNER.values()
            address = f"http://localhost:{server.port}"
            site.picloud("login", address, "--username", name, typed=password + "\n")
            for example in EXAMPLES:
                site.picloud("push", "--create-app", str(folder / "examples" / example))
            yield site


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.skipif(shutil.which("curl") is None, reason="the pages call with curl, which is not here")
def test_the_readme_of_an_example_does_what_it_shows(site: Site, example: str) -> None:
    page = ROOT / "examples" / example / "README.md"
    assert sum(1 for _ in blocks(page)) >= 3
    home = site.folder / f"reader of {example}"
    home.mkdir()
    Walk(home, site.folder, site.server.port).go(page)


def test_a_push_without_changes_has_no_steps(site: Site) -> None:
    for example in EXAMPLES:
        folder = site.folder / "examples" / example
        assert site.picloud("push", str(folder)).count("\n") == 1  # no step


# --- the link shortener


def link(site: Site, **body: object) -> Answer:
    return site.ask("links", "POST", "/links", body)


def test_a_link_leads_where_it_should_and_counts(site: Site) -> None:
    made = link(site, url="https://example.com/a?b=c#d")
    assert made.status == 201
    code = made.json["code"]
    assert made.headers["location"] == f"/links/{code}"
    for _ in range(3):
        answer = site.ask("links", "GET", f"/{code}")
        assert (answer.status, answer.headers["location"]) == (302, "https://example.com/a?b=c#d")
        assert answer.headers["cache-control"] == "no-store"
    assert site.ask("links", "HEAD", f"/{code}").status == 302
    assert site.ask("links", "GET", f"/links/{code}").json == {**made.json, "hits": 3}


def test_every_visit_of_a_link_is_counted(site: Site) -> None:
    code = link(site, url="https://example.com/").json["code"]
    with ThreadPoolExecutor(16) as pool:
        followed = pool.map(lambda _: site.ask("links", "GET", f"/{code}").status, range(120))
        assert list(followed) == [302] * 120
    assert site.ask("links", "GET", f"/links/{code}").json["hits"] == 120


def test_one_of_many_gets_a_code_that_all_want(site: Site) -> None:
    with ThreadPoolExecutor(12) as pool:
        urls = [f"https://example.com/{n}" for n in range(12)]
        answers = list(pool.map(lambda url: link(site, url=url, code="wanted"), urls))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 11
    winner = next(answer for answer in answers if answer.status == 201)
    assert site.ask("links", "GET", "/wanted").headers["location"] == winner.json["url"]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({}, 422, "url"),
        ({"url": 7}, 422, "url"),
        ({"url": "javascript:alert(1)"}, 422, "url"),
        ({"url": "https://"}, 422, "url"),
        ({"url": "https://example.com/\r\nSet-Cookie: a=b"}, 422, "url"),
        ({"url": "https://example.com/ä"}, 422, "url"),
        ({"url": "https://example.com/" + "x" * 2000}, 422, "url"),
        ({"url": "https://example.com/", "code": "a"}, 422, "code"),
        ({"url": "https://example.com/", "code": "a/b"}, 422, "code"),
        ({"url": "https://example.com/", "code": ["abc"]}, 422, "code"),
        ({"url": "https://example.com/", "code": "links"}, 422, "code"),
        ([], 400, "JSON"),
        (b"{", 400, ""),
        (None, 400, "JSON"),
    ],
)
def test_an_invalid_link_is_rejected(site: Site, body: object, status: int, says: str) -> None:
    answer = site.ask("links", "POST", "/links", body)
    assert answer.status == status
    assert says in str(answer.json["error"])


def test_a_link_that_is_not_there_is_404_and_not_counted(site: Site) -> None:
    for path in ("/none", "/links/none", "/%00", "/" + "x" * 600, "/links/links"):
        assert site.ask("links", "GET", path).status in (400, 404), path
    assert link(site, url="https://example.com/", code="none").json["hits"] == 0


def test_the_list_has_every_link_once(site: Site) -> None:
    made = {link(site, url=f"https://example.com/{n}").json["code"] for n in range(12)}
    codes = [item["code"] for item in site.everything("links", "/links", 5)]
    assert made <= set(codes)
    assert codes == sorted(set(codes))
    for query in ("limit=0", "limit=101", "limit=x", "limit=", "cursor=nonsense"):
        assert site.ask("links", "GET", f"/links?{query}").status == 422, query


# --- the blog


@pytest.fixture
def blog(site: Site) -> Site:
    """As a writer sees it."""
    token = site.setup("blog")["token"]
    return Site(site.server, site.folder, {"Authorization": f"Bearer {token}"})


def post(blog: Site, **body: object) -> Any:
    answer = blog.ask("blog", "POST", "/posts", {"text": "Some text.", "author": "Ada", **body})
    assert answer.status == 201, answer.body
    return answer.json


def titles(site: Site, query: str) -> list[str]:
    return [item["title"] for item in site.everything("blog", f"/posts?{query}", 2)]


def test_a_post_is_read_changed_and_deleted(blog: Site) -> None:
    made = post(blog, title="Übermut", tags=["life"])
    assert set(made) == {"id", "title", "text", "author", "tags", "created_at", "updated_at"}
    path = f"/posts/{made['id']}"
    assert blog.ask("blog", "GET", path).json == made
    changed = blog.ask("blog", "PATCH", path, {"text": "Another text."}).json
    assert changed == {**made, "text": "Another text.", "updated_at": changed["updated_at"]}
    assert blog.ask("blog", "GET", path).json == changed
    assert blog.ask("blog", "DELETE", path).status == 204
    for method, body in (("GET", None), ("PATCH", {"text": "More."}), ("DELETE", None)):
        answer = blog.ask("blog", method, path, body)
        assert (answer.status, answer.json["error"]["code"]) == (404, "not_found")


def test_posts_are_found_by_words_tag_and_author_newest_first(blog: Site) -> None:
    tag = f"tag-{next(_numbers)}"
    for n, author in enumerate(("Ada", "Grace", "Ada", "Grace", "Ada")):
        post(blog, title=f"Post {n}", text="Über ENGINES" if n % 2 else "On looms", author=author, tags=[tag])
    assert titles(blog, f"tag={tag}") == ["Post 4", "Post 3", "Post 2", "Post 1", "Post 0"]
    assert titles(blog, f"tag={tag}&author=Ada") == ["Post 4", "Post 2", "Post 0"]
    assert titles(blog, f"tag={tag}&q=engines+%C3%BCber") == ["Post 3", "Post 1"]
    assert titles(blog, f"tag={tag}&q=LOOM+4") == ["Post 4"]
    assert titles(blog, f"tag={tag}&q=engines+looms") == []
    assert titles(blog, f"tag={tag}&author=%24ne") == []


def test_a_changed_post_is_found_by_its_new_content(blog: Site) -> None:
    word = f"word{next(_numbers)}"
    path = f"/posts/{post(blog, title=f'Old {word}')['id']}"
    with ThreadPoolExecutor(2) as pool:
        patches = [{"title": f"New {word}"}, {"text": f"Fresh {word}"}]
        assert [a.status for a in pool.map(lambda p: blog.ask("blog", "PATCH", path, p), patches)] == [
            200,
            200,
        ]
    assert titles(blog, f"q={word}+new+fresh") == [f"New {word}"]
    assert titles(blog, f"q={word}+old") == []


def test_pages_miss_no_post_while_others_are_written(blog: Site) -> None:
    tag = f"tag-{next(_numbers)}"
    made = [post(blog, title=f"Post {n}", tags=[tag])["title"] for n in range(6)]
    first = blog.ask("blog", "GET", f"/posts?tag={tag}&limit=3").json
    post(blog, title="Late", tags=[tag])
    rest = blog.ask("blog", "GET", f"/posts?tag={tag}&limit=3&cursor={first['next_cursor']}").json
    assert [item["title"] for item in first["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (None, {"body"}),
        ([], {"body"}),
        ({}, {"title", "text", "author"}),
        ({"title": " ", "text": "t", "author": "a"}, {"title"}),
        ({"title": "t" * 201, "text": "t", "author": 1}, {"title", "author"}),
        ({"title": "t", "text": "a\0b", "author": "a"}, {"text"}),
        ({"title": "t", "text": "t", "author": "a", "tags": ["ok", ""]}, {"tags"}),
        ({"title": "t", "text": "t", "author": "a", "tags": "ok"}, {"tags"}),
        ({"title": "t", "text": "t", "author": "a", "number": 1, "search": {}}, {"number", "search"}),
    ],
)
def test_an_invalid_post_is_rejected_field_by_field(blog: Site, body: object, fields: set[str]) -> None:
    answer = blog.ask("blog", "POST", "/posts", body)
    assert (answer.status, answer.json["error"]["code"]) == (422, "invalid")
    assert set(answer.json["error"]["fields"]) == fields


def test_a_patch_is_checked_like_a_post(blog: Site) -> None:
    path = f"/posts/{post(blog, title='Kept')['id']}"
    for body in ({"title": None}, {"tags": None}, {"number": 0}, {"author": "x" * 101}):
        assert blog.ask("blog", "PATCH", path, body).status == 422, body
    assert blog.ask("blog", "GET", path).json["title"] == "Kept"


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=1000", "cursor=x", "cursor=-1", "titel=x", "q=" + "a+" * 11),
        *("q=%00", "tag=a%00", "author=%00b", "cursor=%00"),
    ],
)
def test_an_invalid_search_is_rejected(site: Site, query: str) -> None:
    answer = site.ask("blog", "GET", f"/posts?{query}")
    assert (answer.status, answer.json["error"]["code"]) == (422, "invalid")
    assert list(answer.json["error"]["fields"]) == [query.split("=")[0]]


def test_only_callers_with_the_token_can_write(site: Site, blog: Site) -> None:
    path = f"/posts/{post(blog, title='Mine')['id']}"
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer wrong"}):
        for method, where in (("POST", "/posts"), ("PATCH", path), ("DELETE", path)):
            answer = site.ask("blog", method, where, {"title": "Theirs"}, headers)
            assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert site.ask("blog", "GET", path).json["title"] == "Mine"
    site.setup("blog")
    assert blog.ask("blog", "DELETE", path).status == 401


@pytest.mark.parametrize("app", ["blog", "webhook"])
def test_an_anonymous_caller_cannot_create_tokens(site: Site, app: str) -> None:
    scripts = json.loads(site.picloud("scripts", "list", "--app", app, "--json"))
    listed = scripts["items"] if isinstance(scripts, dict) else scripts
    setup = next(script["id"] for script in listed if script["name"] == "setup")
    assert site.ask(app, "POST", f"/api/v1/execute/{setup}").status in (401, 403, 404)


# --- the webhook


@dataclass
class Sender:
    """Who knows the secret, and the token of readers, too."""

    site: Site
    secret: str
    token: str

    def signed(self, body: bytes, delivery: str, late: int = 0) -> dict[str, str]:
        """The headers of a delivery, as standardwebhooks.com has them."""
        at = int(time.time()) - late
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        mac = hmac.digest(key, f"{delivery}.{at}.".encode() + body, "sha256")
        signature = "v1," + base64.b64encode(mac).decode()
        return {"webhook-id": delivery, "webhook-timestamp": str(at), "webhook-signature": signature}

    def send(self, body: bytes, headers: Mapping[str, str], kind: str = "application/octet-stream") -> Answer:
        return self.site.ask("webhook", "POST", "/deliveries", body, {**headers, "Content-Type": kind})

    def read(self, path: str = "", **headers: str) -> Answer:
        more = {"Authorization": f"Bearer {self.token}", **headers}
        return self.site.ask("webhook", "GET", f"/deliveries{path}", headers=more)

    def listed(self) -> list[Any]:
        answer = self.read()
        assert answer.status == 200, answer.body
        items: list[Any] = answer.json["items"]
        while answer.json["next_cursor"]:
            answer = self.read(f"?cursor={answer.json['next_cursor']}")
            items += answer.json["items"]
        return items


@pytest.fixture
def sender(site: Site) -> Sender:
    return Sender(site, **site.setup("webhook"))


def delivery() -> str:
    return f"test_{next(_numbers)}"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"event": "paid",  "n": 1.0}', "application/json"),
        (b"\x00\xff\r\n" + bytes(range(256)), "application/octet-stream"),
        (b"", "application/octet-stream"),
        ("Grüße".encode("latin-1"), "text/plain; charset=latin-1"),
        (os.urandom(3_000_000), "image/png"),
        (json.dumps([{"a": n, "b": "text"} for n in range(130_000)]).encode(), "application/json"),
    ],
    ids=["json", "bytes", "nothing", "text", "a large picture", "large json"],
)
def test_a_delivery_is_returned_byte_for_byte(sender: Sender, body: bytes, kind: str) -> None:
    name = delivery()
    answer = sender.send(body, sender.signed(body, name), kind)
    assert answer.status == 201, answer.body
    file = sender.read(f"/{answer.json['file']}")
    assert (file.status, file.body, file.headers["content-type"]) == (200, body, kind)
    assert file.headers["etag"] == f'"{hashlib.sha256(body).hexdigest()}"'
    assert file.headers["content-disposition"].startswith("attachment")
    entry = next(item for item in sender.listed() if item["id"] == answer.json["file"])
    assert (entry["name"], entry["size"], entry["metadata"]) == (name, len(body), {"delivery": name})


def test_a_part_of_a_delivery_can_be_read(sender: Sender) -> None:
    body = b"0123456789"
    file = sender.send(body, sender.signed(body, delivery())).json["file"]
    part = sender.read(f"/{file}", Range="bytes=2-4")
    assert (part.status, part.body, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")


def test_a_repeated_delivery_is_stored_once(sender: Sender) -> None:
    body, name = b"again and again", delivery()
    headers = sender.signed(body, name)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: sender.send(body, headers), range(24)))
    assert {answer.status for answer in answers} <= {200, 201, 409}
    assert sum(answer.status == 201 for answer in answers) == 1
    later = sender.send(body, sender.signed(body, name))
    stored = [item["id"] for item in sender.listed() if item["name"] == name]
    assert (later.status, later.json, stored) == (200, {"file": stored[0], "again": True}, stored[:1])


def test_nothing_forged_is_stored(sender: Sender) -> None:
    body, before = b"pay me", sender.listed()
    headers = sender.signed(body, delivery())
    other = Sender(sender.site, "whsec_" + base64.b64encode(b"x" * 24).decode(), "")
    forged = [
        (b"pay them", headers),
        (body, {**headers, "webhook-id": delivery()}),
        (body, {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}),
        (body, {**headers, "webhook-signature": ""}),
        (body, {**headers, "webhook-signature": headers["webhook-signature"].removeprefix("v1,")}),
        (body, other.signed(body, delivery())),
        (body, {name: value for name, value in headers.items() if name != "webhook-signature"}),
    ]
    assert [sender.send(*one).status for one in forged] == [401] * len(forged)
    for name, value in (("webhook-id", ""), ("webhook-timestamp", "now"), ("webhook-timestamp", "9" * 30)):
        assert sender.send(body, {**headers, name: value}).status == 400
    assert sender.listed() == before
    both = {**headers, "webhook-signature": f"v1,other {headers['webhook-signature']}"}
    assert sender.send(body, both).status == 201


@pytest.mark.parametrize("late", [400, -400])
def test_a_delivery_with_an_old_timestamp_is_rejected(sender: Sender, late: int) -> None:
    headers = sender.signed(b"old", delivery(), late)
    answer = sender.send(b"old", headers)
    assert (answer.status, answer.json) == (401, {"error": "the timestamp differs by more than five minutes"})


def test_only_callers_with_the_token_can_read_deliveries(sender: Sender) -> None:
    file = sender.send(b"secret", sender.signed(b"secret", delivery())).json["file"]
    for token in ("", "wrong", sender.secret):
        stranger = Sender(sender.site, sender.secret, token)
        for path in ("", f"/{file}", "/none"):
            assert stranger.read(path).status == 401
    assert sender.read("/none").status == 404
    assert sender.read("?cursor=nonsense").status == 422
