"""vars, kv, docs and files: output and exit codes."""

from __future__ import annotations

import asyncio
import json

from picloud.cli.exits import NOT_FOUND, WRONG_USE
from tests.integration.cli.conftest import Shell
from tests.integration.conftest import Worker

DEFAULT = ("--app", "default")


async def test_variables_are_set_read_listed_and_deleted(shell: Shell) -> None:
    assert "API_URL" in await shell.done("vars", "set", "API_URL", "https://example.com", *DEFAULT)
    await shell.done("vars", "set", "TYPED", "-", *DEFAULT, typed="two\nlines\n")
    assert await shell.done("vars", "get", "API_URL", *DEFAULT) == "https://example.com\n"
    assert (await shell("vars", "get", "TYPED", "--json", *DEFAULT)).json["value"] == "two\nlines"
    lines = (await shell.done("vars", "list", *DEFAULT)).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["API_URL", "TYPED"]
    assert (await shell("vars", "set", "api-url", "x", *DEFAULT)).code != 0
    assert (await shell("vars", "delete", "TYPED", *DEFAULT)).code == WRONG_USE
    assert "TYPED" in await shell.done("vars", "delete", "TYPED", "--yes", *DEFAULT)
    assert (await shell("vars", "get", "TYPED", *DEFAULT)).code == NOT_FOUND


async def test_names_that_are_steps_in_a_path_are_names(shell: Shell) -> None:
    for collection, key in (("c", ".."), ("..", "."), (".", "k")):
        assert await shell.done("kv", "set", collection, key, "1", *DEFAULT) == f"wrote {key}, 1 bytes\n"
        assert await shell.done("kv", "get", collection, key, *DEFAULT) == "1\n"
        assert (await shell("kv", "list", collection, "--json", *DEFAULT)).json[0]["key"] == key
        assert await shell.done("kv", "delete", collection, key, "--yes", *DEFAULT) == f"deleted {key}\n"
    made = json.loads((await shell("docs", "create", "..", "{}", "--json", *DEFAULT)).out)
    assert (await shell("docs", "get", "..", made["id"], "--json", *DEFAULT)).json["collection"] == ".."


async def test_entries_are_written_read_listed_and_removed(shell: Shell) -> None:
    assert "user:1/x" in await shell.done("kv", "set", "c", "user:1/x", '{"n": 1, "ü": [true]}', *DEFAULT)
    assert json.loads(await shell.done("kv", "get", "c", "user:1/x", *DEFAULT)) == {"n": 1, "ü": [True]}
    await shell.done("kv", "set", "c", "plain", "not JSON", "--text", "--ttl", "60", *DEFAULT)
    await shell.done("kv", "set", "c", "typed", "-", *DEFAULT, typed="[1, 2]")
    (shell.folder / "blob").write_bytes(b"abc")
    await shell.done("kv", "set", "c", "blob", "--blob", "blob", *DEFAULT)
    assert (await shell("kv", "get", "c", "blob", *DEFAULT)).out == "abc"
    code, seen = await shell.at_terminal("kv", "get", "c", "blob", *DEFAULT)
    assert (code, "--json" in seen) == (0, True)
    assert (await shell("kv", "get", "c", "plain", "--json", *DEFAULT)).json["value"] == "not JSON"
    lines = (await shell.done("kv", "list", *DEFAULT)).splitlines()
    assert lines[1].split()[:2] == ["c", "4"]
    lines = (await shell.done("kv", "list", "c", *DEFAULT)).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["blob", "plain", "typed", "user:1/x"]
    found = (await shell("kv", "list", "c", "--prefix", "p", "--json", *DEFAULT)).json
    assert [one["key"] for one in found] == ["plain"]
    assert len((await shell("kv", "list", "c", "--limit", "2", "--json", *DEFAULT)).json) == 2
    assert "plain" in await shell.done("kv", "delete", "c", "plain", "--yes", *DEFAULT)
    assert (await shell("kv", "get", "c", "plain", *DEFAULT)).code == NOT_FOUND


async def test_an_invalid_value_is_wrong_use(shell: Shell) -> None:
    for words in (["{"], [], ["1", "--blob", "nix"], ["1", "--ttl", "0"]):
        assert (await shell("kv", "set", "c", "k", *words, *DEFAULT)).code == WRONG_USE
    for words in (["create", "c", "[]"], ["create", "c", "{"], ["find", "c", "[]"], ["find", "c", "{"]):
        assert (await shell("docs", *words, *DEFAULT)).code == WRONG_USE
    assert (await shell("kv", "delete", "c", "k", *DEFAULT)).code == WRONG_USE
    assert (await shell("docs", "list", "nix", *DEFAULT)).code == NOT_FOUND


async def test_documents_are_created_found_updated_and_deleted(shell: Shell) -> None:
    said = await shell.done("docs", "create", "posts", '{"title": "One", "n": 1}', *DEFAULT)
    id_ = said.split()[-1]
    await shell.done("docs", "create", "posts", "-", *DEFAULT, typed='{"title": "Two", "n": 2}')
    assert (await shell.done("docs", "list", *DEFAULT)).splitlines()[1].split()[:2] == ["posts", "2"]
    lines = (await shell.done("docs", "find", "posts", '{"n": {"$lt": 2}}', *DEFAULT)).splitlines()
    assert [line.split()[0] for line in lines[1:]] == [id_]
    await shell.done("docs", "update", "posts", id_, '{"n": null, "by": "ada"}', *DEFAULT)
    shown = await shell.done("docs", "get", "posts", id_, *DEFAULT)
    assert json.loads(shown.partition("\n\n")[2]) == {"title": "One", "by": "ada"}
    await shell.done("docs", "update", "posts", id_, "{}", "--replace", *DEFAULT)
    assert (await shell("docs", "get", "posts", id_, "--json", *DEFAULT)).json["data"] == {}
    assert len((await shell("docs", "list", "posts", "--json", *DEFAULT)).json) == 2
    await shell.done("docs", "delete", "posts", id_, "--yes", *DEFAULT)
    assert (await shell("docs", "get", "posts", id_, *DEFAULT)).code == NOT_FOUND


async def test_files_are_listed_shown_saved_and_removed(shell: Shell, worker: Worker) -> None:
    id_ = await worker.file("default", "up", "../a\\b.txt", b"as it is")
    assert (await shell.done("files", "list", *DEFAULT)).splitlines()[1].split() == ["up", "1", "8", "no"]
    assert (await shell.done("files", "list", "up", *DEFAULT)).splitlines()[1].split()[0] == id_
    assert (await shell("files", "show", "up", id_, "--json", *DEFAULT)).json["size"] == 8
    assert ".._a_b.txt" in await shell.done("files", "download", "up", id_, *DEFAULT)
    assert (shell.folder / ".._a_b.txt").read_bytes() == b"as it is"
    again = await shell("files", "download", "up", id_, *DEFAULT)
    assert (again.code, "--output" in again.err) == (WRONG_USE, True)
    await shell.done("files", "download", "up", id_, "--output", "other", *DEFAULT)
    assert (await asyncio.to_thread((shell.folder / "other").read_bytes)) == b"as it is"
    assert (await shell("files", "download", "up", id_, "--output", "-", *DEFAULT)).out == "as it is"
    assert (await shell("files", "download", "up", id_, "--output", "no/such", *DEFAULT)).code == WRONG_USE
    await shell.done("files", "delete", "up", id_, "--yes", *DEFAULT)
    assert (await shell("files", "download", "up", id_, *DEFAULT)).code == NOT_FOUND


async def test_usage_is_shown_against_its_quotas(shell: Shell) -> None:
    await shell.done("kv", "set", "c", "k", "1", *DEFAULT)
    lines = (await shell.done("apps", "usage", "default")).splitlines()
    kept = [line.split()[:2] for line in lines[1:]]
    assert kept == [["kv", "1"], ["docs", "0"], ["files", "0"], ["scripts", "1"], ["executions", "0"]]
    assert lines[1].split()[3] == "2"
    assert (await shell("apps", "usage", "default", "--json")).json["items"][0]["rows"] == 1
