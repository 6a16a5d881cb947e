"""`picloud bench`: measures executions on this machine."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import sys

from picloud.cli import configuration
from picloud.cli.benchmark import WORKS, Medians, WrongResult, measure
from picloud.cli.commands import Commands
from picloud.cli.local import executor
from picloud.cli.terminal import bar, fail, paint
from picloud.config import Settings
from picloud.core import logs


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "bench",
        help="measure cold and cached executions on this machine",
        description="Measure executions on this machine, without a server or database: cold (compiled "
        "first), cached (a fresh instance from the compiled image), and the same work as a Python function "
        "in this process, without isolation. The three alternate; medians are printed.",
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="seconds per benchmark (default: 2)")
    parser.add_argument("--json", action="store_true", help="as JSON")
    configuration.add_options(parser)
    parser.set_defaults(main=main)


def main(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    logs.configure("auto", "warning", sys.stderr)
    settings = configuration.read(arguments).settings
    try:
        figures = asyncio.run(_measure_all(settings, arguments.seconds))
    except WrongResult as error:
        fail(str(error))
        return 1
    if arguments.json:
        print(json.dumps({"items": [dataclasses.asdict(one) for one in figures]}, indent=2))
    else:
        print("\n\n".join(shown(one) for one in figures))
    return 0


async def _measure_all(settings: Settings, seconds: float) -> list[Medians]:
    figures = []
    async with executor(settings) as local:
        for number, work in enumerate(WORKS, 1):
            if sys.stderr.isatty():
                print(f"\r\x1b[K{number}/{len(WORKS)} {work.name}", end="", file=sys.stderr, flush=True)
            figures.append(await measure(local, work, seconds, settings.limits))
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    return figures


def shown(figures: Medians) -> str:
    """Format the medians of a benchmark with bars, and as multiples of the cached one."""
    rows = (("cold", figures.cold), ("cached", figures.cached), ("in-process", figures.in_process))
    longest = max(value for _, value in rows)
    lines = [f"{paint(figures.name, '1')}  ({figures.fuel:,} fuel)"]
    lines += [
        f"  {name:<10}  {_duration(value):>9}  {value / figures.cached:>6.2f}x  {bar(value, longest)}"
        for name, value in rows
    ]
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    return f"{seconds * 1e3:.2f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.1f} us"
