"""Two apps with the same names for everything, each with the other's ids and cursors: nothing ever crosses.

Both run the same script, which does what its request says; a model in memory knows what each must answer.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.integration.conftest import Worker
from tests.integration.http.conftest import Client, serving
from tests.integration.services.docs.reference import in_order, matches, merged

DRIVER = """
import "lib" as lib;
let q = ctx.request.body;
let c = q.c;
let answer = ();
try {
    answer = switch q.op {
        "kv.get" => kv::collection(c).get(q.key),
        "kv.set" => kv::collection(c).set(q.key, q.value),
        "kv.set_ttl" => kv::collection(c).set(q.key, q.value, #{ ttl_seconds: 3600 }),
        "kv.has" => kv::collection(c).has(q.key),
        "kv.delete" => kv::collection(c).delete(q.key),
        "kv.list" => kv::collection(c).list(q.cursor, q.limit),
        "kv.entries" => kv::collection(c).entries(q.cursor, q.limit),
        "kv.increment" => kv::collection(c).increment(q.key, q.n),
        "kv.set_if" => kv::collection(c).set_if(q.key, q.expected, q.value),
        "docs.create" => docs::collection(c).create(q.data),
        "docs.get" => docs::collection(c).get(q.id),
        "docs.find" => docs::collection(c).find(q.filter),
        "docs.find_one" => docs::collection(c).find_one(q.filter),
        "docs.count" => docs::collection(c).count(q.filter),
        "docs.update" => docs::collection(c).update(q.id, q.data),
        "docs.patch" => docs::collection(c).patch(q.id, q.data),
        "docs.delete" => docs::collection(c).delete(q.id),
        "docs.list" => docs::collection(c).list(q.cursor, q.limit),
        "files.create" => files::collection(c).create(#{ name: q.key, data: q.text }),
        "files.upload" => files::collection(c).create_from_request(#{ name: q.key }),
        "files.head" => files::collection(c).head(q.id),
        "files.get" => {
            let file = files::collection(c).get(q.id);
            if file != () { file.data = file.data.as_string() }
            file
        },
        "files.update" => files::collection(c).update(q.id, #{ data: q.text }),
        "files.delete" => files::collection(c).delete(q.id),
        "files.list" => files::collection(c).list(q.cursor, q.limit),
        "module.named" => { let name = q.named; import name as named; named::whose() },
        "files.response" => {
            let file = files::collection(c).response(q.id);
            if file != () { return #{ statusCode: 200, body: file } }
        },
    };
} catch (error) {
    answer = #{ thrown: `${error}` };
}
#{ lib: lib::whose(), answer: answer }
"""
COLLECTIONS = ["notes", "Notes", "a/../b"]
KEYS = ["k", "l", "K", "é"]
THROWN = object()
"""What an answer is where the script must throw."""

_numbers = count(1)


@dataclass
class App:
    """What one app must hold, and where it is.

    Attributes:
        slug: of the app.
        script: id of the driver.
        lib: the module both have by that name, as the API shows it.
        whose: what that module answers.
        kv: by collection and key.
        docs: data by collection and id.
        files: entries with their text, by collection and id.
        executions: how many there were.
    """

    slug: str
    script: str
    lib: dict[str, Any]
    whose: str
    kv: dict[tuple[str, str], Any] = field(default_factory=dict)
    docs: dict[tuple[str, str], Any] = field(default_factory=dict)
    files: dict[tuple[str, str], Any] = field(default_factory=dict)
    executions: int = 0


@dataclass
class World:
    """Both apps, and what either was ever told: the other is given it.

    Attributes:
        client: the owner.
        apps: the two.
        ids: of documents, files, scripts and executions.
        cursors: and the kind of list and the place each stands for.
    """

    client: Client
    apps: list[App]
    ids: list[str]
    cursors: list[tuple[str, str, str]] = field(default_factory=list)

    @classmethod
    async def make(cls, client: Client) -> World:
        apps = []
        for name in ("prince", "pauper"):
            slug = f"{name}-{next(_numbers)}"
            assert (await client.admin("POST", "/apps", {"slug": slug, "name": name})).status == 201
            lib = await client.script(f'fn whose() {{ "{slug}" }}', "lib", slug, kind="module")
            await client.script(f'fn whose() {{ "only {slug}" }}', f"only_{name}", slug, kind="module")
            driver = await client.script(DRIVER, "driver", slug)
            apps.append(App(slug, driver["id"], lib, slug))
        return cls(client, apps, [app.script for app in apps])

    async def run(self, app: App, op: str, **asked: Any) -> Any:
        """Have an app's script do something; what it answers, or `THROWN`, or the bytes of a file."""
        body = json.dumps({"op": op, **asked}).encode()
        answer = await self.client(
            "POST",
            f"/api/v1/execute/{app.script}",
            data=io.BytesIO(body),
            headers={"Content-Type": "application/json"},
        )
        app.executions += 1
        assert answer.status == 200, answer.body
        self.ids.append(answer.headers["X-Execution-Id"])
        if "Content-Disposition" in answer.headers:
            return answer.body.decode()
        assert answer.json["lib"] == app.whose
        said = answer.json["answer"]
        if isinstance(said, dict) and "thrown" in said:
            said = said["thrown"]
            assert said.startswith((f"{op.split('.')[0]}::", "module not found: ")), said
            return THROWN
        return said

    def page(self, kind: str, places: list[str], cursor: int, limit: int) -> tuple[str, list[str] | object]:
        """A cursor that some list of some app once gave, and what a list of this kind does with it."""
        if cursor < 0 or not self.cursors:
            return "", sorted(places)[:limit]
        text, other, after = self.cursors[cursor % len(self.cursors)]
        if (kind == "kv") != (other == "kv"):
            return text, THROWN
        return text, [place for place in sorted(places) if place > after][:limit]


Step = tuple[int, str, str, str, int, int, int, Any]
VALUES = st.integers(-3, 3) | st.sampled_from(["", "x", [1], {"a": None}, 1.5, True])
FILTERS: list[dict[str, Any]] = [
    {},
    {"n": 1},
    {"n": {"$in": [0, 1, 2]}},
    {"n": {"$gte": 0}},
    {"$not": {"n": 1}},
    {"$or": [{"n": 0}, {"own": {"$exists": True}}]},
    {"own": {"$contains": "p"}},
    {"$or": []},
    {"$and": [], "own": {"$ne": "x"}},
]
STEPS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from(
            [
                *("kv.get", "kv.set", "kv.set", "kv.set_ttl", "kv.has", "kv.delete", "kv.list", "kv.entries"),
                *("kv.increment", "kv.set_if", "docs.create", "docs.create", "docs.get", "docs.find"),
                *("docs.find_one", "docs.count", "docs.update", "docs.patch", "docs.delete", "docs.list"),
                *("files.create", "files.upload", "files.head", "files.get", "files.update"),
                *("files.delete", "files.list", "files.response", "module.edit", "module.named", "log"),
            ]
        ),
        st.sampled_from(COLLECTIONS),
        st.sampled_from(KEYS),
        st.integers(-1, 60),  # which id, of all that either app was ever told, newest first; -1 is nobody's
        st.integers(-1, 30),  # which cursor; -1 is the start
        st.integers(1, 3),
        VALUES,
    ),
    min_size=20,
    max_size=50,
)


@pytest.fixture
async def client(worker: Worker) -> AsyncIterator[Client]:
    async with serving(worker) as client:
        client.token = await worker.session_of(await worker.person("ada", "owner"))
        yield client


# Shrinking takes long here, and the step that failed is in the traceback.
@settings(
    max_examples=25,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(steps=STEPS)
async def test_nothing_of_an_app_ever_reaches_another(client: Client, steps: list[Step]) -> None:
    world = await World.make(client)
    for step in steps:
        app, op = world.apps[step[0]], step[1]
        await _KINDS[op.split(".")[0]](world, app, op, step)
    for app in world.apps:
        await _everything(world, app)
        await _log(world, app, "log", steps[0])


async def _kv(world: World, app: App, op: str, step: Step) -> None:
    _, _, c, key, _, cursor, limit, value = step
    place, held = (c, key), app.kv
    present = held.get(place)
    wanted: Any = None
    asked: dict[str, Any] = {"c": c, "key": key, "value": value}
    match op:
        case "kv.get":
            wanted = present
        case "kv.set" | "kv.set_ttl":
            held[place] = value
        case "kv.has":
            wanted = place in held
        case "kv.delete":
            wanted = held.pop(place, None) is not None
        case "kv.increment":
            asked["n"] = limit
            if place in held and type(present) is not int:
                wanted = THROWN
            else:
                wanted = held[place] = (present or 0) + limit
        case "kv.set_if":
            # What is expected is now and then what the other app holds.
            asked["expected"] = expected = world.apps[limit % 2].kv.get(place)
            wanted = (type(expected), expected) == (type(present), present)
            if wanted:
                held[place] = value
        case "kv.list":
            keys = [name for collection, name in held if collection == c]
            text, wanted = world.page("kv", keys, cursor, limit)
            said = await world.run(app, op, c=c, cursor=text, limit=limit)
            assert (said if said is THROWN else said["keys"]) == wanted
            _remember(world, "kv", said, lambda page: page["keys"][-1])
            return
        case "kv.entries":
            keys = [name for collection, name in held if collection == c]
            text, wanted = world.page("kv", keys, cursor, limit)
            if isinstance(wanted, list):
                wanted = [{"key": name, "value": held[c, name]} for name in wanted]
            said = await world.run(app, op, c=c, cursor=text, limit=limit)
            assert (said if said is THROWN else said["entries"]) == wanted
            _remember(world, "kv", said, lambda page: page["entries"][-1]["key"])
            return
    assert await world.run(app, op, **asked) == wanted


async def _docs(world: World, app: App, op: str, step: Step) -> None:
    _, _, c, _, number, cursor, limit, value = step
    data = {"n": limit - 1, "own": app.slug, "v": value}
    id_ = world.ids[-1 - number % len(world.ids)] if number >= 0 else "nobody"
    place, held = (c, id_), app.docs
    filter_: dict[str, Any] = FILTERS[number % len(FILTERS)]
    there = [(name, one) for (collection, name), one in sorted(held.items()) if collection == c]
    found = [name for name, one in there if matches(one, filter_)]
    match op:
        case "docs.create":
            said = await world.run(app, op, c=c, data=data)
            held[c, said["id"]] = said["data"]
            world.ids.append(said["id"])
            assert said["data"] == data
        case "docs.find":
            said = await world.run(app, op, c=c, filter={**filter_, "$sort": "-n"})
            assert [one["data"] for one in said] == in_order([held[c, name] for name in found], ["-n"])
            assert {one["id"] for one in said} == set(found)
        case "docs.find_one":
            said = await world.run(app, op, c=c, filter=filter_)
            assert (said and said["id"]) == next(iter(found), None)
        case "docs.count":
            assert await world.run(app, op, c=c, filter=filter_) == len(found)
        case "docs.list":
            text, wanted = world.page("docs", [name for name, _ in there], cursor, limit)
            said = await world.run(app, op, c=c, cursor=text, limit=limit)
            assert (said if said is THROWN else [one["id"] for one in said["docs"]]) == wanted
            _remember(world, "docs", said, lambda page: page["docs"][-1]["id"])
        case "docs.delete":
            assert await world.run(app, op, c=c, id=id_) == (held.pop(place, None) is not None)
        case "docs.get":
            said = await world.run(app, op, c=c, id=id_)
            assert (said and said["data"]) == held.get(place)
        case _:
            said = await world.run(app, op, c=c, id=id_, data=data)
            if place in held:
                held[place] = merged(held[place], data) if op == "docs.patch" else data
                said = said["data"]
            assert said == held.get(place, THROWN)


async def _files(world: World, app: App, op: str, step: Step) -> None:
    _, _, c, key, number, cursor, limit, _ = step
    id_ = world.ids[-1 - number % len(world.ids)] if number >= 0 else "nobody"
    place, held = (c, id_), app.files
    text = f"{app.slug} {number}"
    match op:
        case "files.create" | "files.upload":
            said = await world.run(app, op, c=c, key=key, text=text)
            if op == "files.upload":
                text = json.dumps({"op": op, "c": c, "key": key, "text": text})
            held[c, said["id"]] = {**said, "data": text}
            world.ids.append(said["id"])
            assert (said["name"], said["size"]) == (key, len(text.encode()))
        case "files.head" | "files.get":
            wanted = held.get(place)
            if wanted and op == "files.head":
                wanted = {name: one for name, one in wanted.items() if name != "data"}
            assert await world.run(app, op, c=c, id=id_) == wanted
        case "files.response":
            wanted = held.get(place)
            assert await world.run(app, op, c=c, id=id_) == (wanted and wanted["data"])
        case "files.update":
            said = await world.run(app, op, c=c, id=id_, text=text)
            assert (said is THROWN) == (place not in held)
            if place in held:
                held[place] = {**said, "data": text}
        case "files.delete":
            assert await world.run(app, op, c=c, id=id_) == (held.pop(place, None) is not None)
        case "files.list":
            text, wanted = world.page("files", [name for at, name in held if at == c], cursor, limit)
            said = await world.run(app, op, c=c, cursor=text, limit=limit)
            assert (said if said is THROWN else [one["id"] for one in said["files"]]) == wanted
            _remember(world, "files", said, lambda page: page["files"][-1]["id"])


async def _module(world: World, app: App, op: str, step: Step) -> None:
    """The module both have is edited in one of them; or one is asked for that one of them has."""
    if op == "module.edit":
        app.whose = f"{app.slug} {next(_numbers)}"
        source = {"source": f'fn whose() {{ "{app.whose}" }}'}
        answer = await world.client.admin("PATCH", f"/scripts/{app.lib['id']}", source)
        assert answer.status == 200, answer.body
        for each in world.apps:
            await world.run(each, "kv.get", c="notes", key="k")
        return
    owner = world.apps[step[6] % 2]
    name = f"only_{owner.slug.partition('-')[0]}"
    wanted = f"only {app.slug}" if owner is app else THROWN
    assert await world.run(app, op, c="notes", named=name) == wanted


async def _log(world: World, app: App, _: str, step: Step) -> None:
    """The execution log has each execution of the app, and none of the other's, by list or by id."""
    async with asyncio.timeout(60):
        while True:  # records are written a little later
            entries = await _all(world.client, f"/apps/{app.slug}/executions")
            if len(entries) >= app.executions:
                break
            await asyncio.sleep(0.01)
    assert len(entries) == app.executions
    assert {entry["script_id"] for entry in entries} <= {app.script}
    other = next(each for each in world.apps if each is not app)
    for entry in entries[-2:]:
        path = f"executions/{entry['execution_id']}"
        assert (await world.client.admin("GET", f"/apps/{app.slug}/{path}")).status == 200
        assert (await world.client.admin("GET", f"/apps/{other.slug}/{path}")).status == 404
    strangers = await world.client.admin("GET", f"/apps/{app.slug}/executions?script_id={other.script}")
    assert strangers.status == 404 or strangers.json["items"] == []


async def _everything(world: World, app: App) -> None:
    """In the end each app holds what it should, and all of it."""
    for c in COLLECTIONS:
        keys = (await world.run(app, "kv.list", c=c, cursor="", limit=1000))["keys"]
        assert keys == sorted(key for collection, key in app.kv if collection == c)
        documents = (await world.run(app, "docs.list", c=c, cursor="", limit=1000))["docs"]
        assert [(one["id"], one["data"]) for one in documents] == sorted(
            (id_, data) for (collection, id_), data in app.docs.items() if collection == c
        )
        files = (await world.run(app, "files.list", c=c, cursor="", limit=1000))["files"]
        assert [one["id"] for one in files] == sorted(id_ for at, id_ in app.files if at == c)


def _remember(world: World, kind: str, page: Any, last: Callable[[Any], str]) -> None:
    if page is not THROWN and page["next_cursor"] is not None:
        world.cursors.append((page["next_cursor"], kind, last(page)))


async def _all(client: Client, path: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = await client.admin("GET", f"{path}?limit=200{cursor}")
        assert answer.status == 200, answer.body
        items += answer.json["items"]
        if answer.json["next_cursor"] is None:
            return items
        cursor = f"&cursor={answer.json['next_cursor']}"


_KINDS = {"kv": _kv, "docs": _docs, "files": _files, "module": _module, "log": _log}


async def test_variables_of_two_apps_never_mix(worker: Worker) -> None:
    source = 'let name = ctx.request.body.name; #{ one: vars::get_or(name, "none"), all: vars::all() }'
    async with serving(worker) as client:
        client.token = await worker.session_of(await worker.person("owner", "owner"))
        values: dict[str, dict[str, str]] = {"prince": {}, "pauper": {}}
        scripts = {}
        for app in values:
            assert (await client.admin("POST", "/apps", {"slug": app, "name": app})).status == 201
            scripts[app] = await client.script(source, "reader", app)
        for app, name in (("prince", "A"), ("pauper", "A"), ("pauper", "B"), ("prince", "C")):
            answer = await client.admin("PUT", f"/apps/{app}/vars/{name}", {"value": f"{name} of {app}"})
            assert answer.status == 200
            values[app][name] = answer.json["value"]
            for reader, own in values.items():
                for asked in "ABC":
                    answer = await client.execute(scripts[reader], json={"name": asked})
                    assert answer.json == {"one": own.get(asked, "none"), "all": own}
        for app, own in values.items():
            listed = (await client.admin("GET", f"/apps/{app}/vars")).json["items"]
            assert {one["name"]: one["value"] for one in listed} == own
        assert (await client.admin("DELETE", "/apps/prince/vars/B")).status == 404
        assert (await client.execute(scripts["pauper"], json={"name": "B"})).json["one"] == "B of pauper"
