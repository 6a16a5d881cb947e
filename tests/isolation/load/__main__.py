"""`script/attack`: attacks a server that it starts, and prints what others meet before and meanwhile."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import math
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import psutil

from tests.acceptance.running import OWNER, Server
from tests.cache import machine_code
from tests.isolation.load import attacker
from tests.isolation.load.attacks import ATTACKS, LIMITS, LOUD, QUIET, SCRIPTS, Attack
from tests.isolation.load.probes import Latencies, Probe, measure, probes
from tests.isolation.load.upstream import upstream
from tests.scratch import scratch_folder

_MIB = 1024 * 1024
_ROW = "{:36} {:12} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7} {:>7}"
# What a probe must keep to during the attacks of items 5 to 9: its p99 in ms, and the ratio to that before.
_BOUNDS = {"another app": (250.0, 3.0), "/healthz": (250.0, math.inf)}
_BOUND_ITEMS = range(5, 10)


@dataclass(frozen=True, slots=True)
class Arguments:
    attacks: Sequence[Attack]
    seconds: float
    workers: int
    check: bool


def main() -> int:
    """Run the attacks that the arguments name. Returns: 1 if `--check` found a bound broken."""
    arguments = _arguments()
    with scratch_folder(0o711) as folder:
        data = folder / "data"
        data.mkdir(mode=0o711)
        shutil.copytree(machine_code(), data / "machine-code")
        settings = {**OWNER, "PICLOUD_HTTP_ALLOW_PRIVATE": "true", "PICLOUD_MEMORY_MB": "1024"}
        server = Server(data, ("--port", "0", "--workers", str(arguments.workers)), settings)
        with server, ProcessPoolExecutor(1, get_context("spawn")) as pool:
            broken = asyncio.run(_attack(server, arguments, pool))
    for line in broken:
        print(f"broken: {line}")
    return 1 if broken and arguments.check else 0


def _arguments() -> Arguments:
    names = [attack.name for attack in ATTACKS]
    parser = argparse.ArgumentParser(
        prog="script/attack", description="Attacks a server and measures others."
    )
    parser.add_argument("attacks", nargs="*", metavar="NAME|ITEM", help="default: all; see --list")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each attack (default: 8)")
    parser.add_argument("--workers", type=int, default=2, help="of the server (default: 2)")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bound is broken")
    parser.add_argument("--list", action="store_true", help="print the attacks")
    given = parser.parse_args()
    if given.list:
        print("\n".join(f"{attack.item:4} {attack.name}" for attack in ATTACKS))
        sys.exit()
    unknown = [name for name in given.attacks if name not in names and not name.isdigit()]
    if unknown:
        parser.error(f"unknown attack {unknown[0]!r}; script/attack --list prints them")
    chosen = [
        attack
        for attack in ATTACKS
        if not given.attacks or attack.name in given.attacks or str(attack.item) in given.attacks
    ]
    return Arguments(chosen, given.seconds, given.workers, given.check)


async def _attack(server: Server, arguments: Arguments, pool: ProcessPoolExecutor) -> list[str]:
    broken: list[str] = []
    with upstream() as called:
        owner = server.login()
        token, script_id = _set_up(server, owner, called)
        asked = probes(owner, script_id)
        await measure(server.port, asked, 1.0)  # compiles and caches
        print(
            _ROW.format(
                "attack", "probe", "p50", "p99", "p50 then", "p99 then", "p99 ratio", "failed", "count"
            )
        )
        for attack in arguments.attacks:
            broken += await _measure(attack, server, asked, token, arguments.seconds, pool)
    return broken


async def _measure(
    attack: Attack,
    server: Server,
    asked: Sequence[Probe],
    token: str,
    seconds: float,
    pool: ProcessPoolExecutor,
) -> list[str]:
    before = await measure(server.port, asked, max(3.0, seconds / 2))
    disk, loop = _disk(server.data_dir), asyncio.get_running_loop()
    memory = _Memory(server)
    watching = asyncio.create_task(memory.watch())
    if attack.signal is not None:
        server.workers()[0].send_signal(attack.signal)
        attacking = None
    else:
        attacking = loop.run_in_executor(pool, attacker.run, attack, server.port, token, seconds)
    during = await measure(server.port, asked, seconds)
    statuses = await attacking if attacking is not None else {}
    watching.cancel()
    broken = []
    for name, after in during.items():
        print(
            _line(f"{attack.item} {attack.name}" if name == "another app" else "", name, before[name], after)
        )
        bound, ratio = _BOUNDS.get(name, (math.inf, math.inf))
        p99, usual = after.percentile(99), before[name].percentile(99)
        if attack.item in _BOUND_ITEMS and (p99 > bound or p99 > ratio * usual or after.failed):
            broken.append(
                f"{attack.name}: {name}: p99 {p99:.0f} ms, {usual:.0f} ms before, {after.failed} failed"
            )
    await asyncio.sleep(8)  # by then, unused memory has gone back
    answers = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items())) or "none"
    print(
        f"  answers: {answers}; memory {memory.before} MiB, at most {memory.most}, now {memory.now()}; "
        f"disk {_disk(server.data_dir) - disk:+} MiB",
        flush=True,
    )
    return broken


def _line(attack: str, name: str, before: Latencies, after: Latencies) -> str:
    usual, then = before.percentile(99), after.percentile(99)
    numbers = (before.percentile(50), usual, after.percentile(50), then)
    return _ROW.format(
        attack, name, *(f"{ms:.1f}" for ms in numbers), f"{then / usual:.1f}", after.failed, len(after.values)
    )


def _set_up(server: Server, owner: str, called: int) -> tuple[str, str]:
    """Make both apps with their scripts.

    Returns:
        A token of an editor of the app that attacks, and the script `first` of the app that is probed.
    """
    ids: dict[str, str] = {}

    def ask(method: str, path: str, body: object, token: str = owner) -> dict[str, object]:
        answer = server.request(method, f"/api/v1/admin{path}", body, token)
        assert answer.status < 300, (path, answer.body)
        return dict(answer.json or {})

    for slug, host in (("loud", LOUD), ("quiet", QUIET)):
        ask("POST", "/apps", {"slug": slug, "name": slug})
        ask("POST", f"/apps/{slug}/domains", {"pattern": host})
        for name, source in SCRIPTS.items():
            text = source.replace("UPSTREAM", str(called))
            draft = {"name": name, "source": text, "sandbox": LIMITS.get(name, {})}
            script = ask("POST", f"/apps/{slug}/scripts", draft)
            ids[name] = str(script["id"])
            ask("POST", f"/apps/{slug}/routes", {"script_id": ids[name], "path": f"/{name}"})
    ask("POST", "/users", {"username": "mallory", "password": OWNER["PICLOUD_BOOTSTRAP_PASSWORD"]})
    ask("PUT", "/apps/loud/members/mallory", {"role": "editor"})
    login = {"username": "mallory", "password": OWNER["PICLOUD_BOOTSTRAP_PASSWORD"]}
    return str(ask("POST", "/auth/login", login)["token"]), ids["first"]


class _Memory:
    """Resident memory of the workers, in MiB."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.before = self.most = self.now()

    def now(self) -> int:
        resident = 0
        for worker in self._server.workers():
            with contextlib.suppress(psutil.NoSuchProcess):
                resident += worker.memory_info().rss
        return resident // _MIB

    async def watch(self) -> None:
        while True:
            self.most = max(self.most, self.now())
            await asyncio.sleep(0.25)


def _disk(folder: Path) -> int:
    """Return the size of a folder in MiB."""
    ended = subprocess.run(["du", "-sm", folder], capture_output=True, text=True, check=False)
    return int(ended.stdout.split()[0])


if __name__ == "__main__":
    sys.exit(main())
