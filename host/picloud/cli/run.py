"""`picloud run FILE`: runs a script in the sandbox, without a server or database."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from uuid_utils.compat import uuid7

from picloud.cli import configuration
from picloud.cli.commands import Commands
from picloud.cli.excerpt import excerpt
from picloud.cli.exits import DOES_NOT_PARSE, FAILED, WRONG_USE
from picloud.cli.local import executor
from picloud.cli.local_modules import needed_modules
from picloud.cli.terminal import fail, paint
from picloud.config import Settings
from picloud.core import logs
from picloud.core.errors import Invalid
from picloud.core.validation import check_variable
from picloud.execution.cause import HttpCause, ScriptRequest
from picloud.execution.invocation import Invocation, ScriptVersion
from picloud.sandbox.limits import Ceilings
from picloud.sandbox.outcome import OK, Outcome, ScriptError
from picloud.services.modules.folder import FolderSources, Unreadable
from picloud.services.service import Local

NOBODY = UUID(int=0)


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "run",
        help="run a script without a server",
        description="Run a script in the sandbox, without a server or database; kv is empty at the start. "
        "Modules are imported from NAME.rhai in the folder of the script. "
        "The response body goes to standard output, everything else to standard error. "
        "docs and files need a server. Exit code: 0 success, 1 the script failed, 3 it does not parse.",
    )
    parser.add_argument("file", type=Path, help="a .rhai file, or - for standard input")
    parser.add_argument("--body", metavar="JSON", help="request body")
    parser.add_argument("--method", default="POST", help="request method (default: POST)")
    parser.add_argument("--query", default="", metavar="A=B&C=D", help="query string")
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        type=_header,
        metavar="'NAME: VALUE'",
        help="request header; can be repeated",
    )
    parser.add_argument(
        "--var",
        action="append",
        default=[],
        type=_variable,
        metavar="NAME=VALUE",
        help="variable for vars::get; can be repeated",
    )
    parser.add_argument(
        "--fuel", action="store_true", help="show the cost: fuel, operations, memory, time, calls"
    )
    parser.add_argument(
        "--json", action="store_true", help="print everything as one JSON object to standard output"
    )
    configuration.add_options(parser)
    parser.set_defaults(main=main)


def _header(text: str) -> tuple[str, str]:
    """Parse `Name: value`."""
    name, colon, value = text.partition(":")
    if not name.strip() or not colon:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 'Name: value'")
    return name.strip().lower(), value.strip()


def _variable(text: str) -> tuple[str, str]:
    """Parse `NAME=VALUE`."""
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    try:
        check_variable(name, value)
    except Invalid as error:
        raise argparse.ArgumentTypeError(error.message) from None
    return name, value


def main(arguments: argparse.Namespace) -> int:
    """Run the script and print the outcome."""
    logs.configure("auto", "warning", sys.stderr)
    settings = configuration.read(arguments).settings
    name = "<stdin>" if str(arguments.file) == "-" else str(arguments.file)
    try:
        source = sys.stdin.buffer.read() if name == "<stdin>" else arguments.file.read_bytes()
        text = source.decode("utf-8-sig")
    except OSError as error:
        fail(f"{name} cannot be read: {error.strerror}")
        return WRONG_USE
    except UnicodeDecodeError as error:
        fail(f"{name} is not UTF-8 (byte {error.start})")
        return WRONG_USE
    folder = FolderSources(arguments.file.parent)
    try:
        outcome = asyncio.run(_execute(arguments, settings, source, folder))
    except Unreadable as error:
        fail(str(error))
        return WRONG_USE
    if arguments.json:
        print(json.dumps(_as_json(outcome), indent=2, ensure_ascii=False))
    else:
        _print(outcome, name, text, folder, arguments.fuel)
    if outcome.code == OK:
        return 0
    return DOES_NOT_PARSE if outcome.code == "script_invalid" else FAILED


async def _execute(
    arguments: argparse.Namespace, settings: Settings, source: bytes, folder: FolderSources
) -> Outcome:
    limits = Ceilings(settings.limits).resolve({})
    headers: dict[str, str] = dict(arguments.header)
    request = ScriptRequest(
        method=arguments.method.upper(),
        headers=headers,
        query=dict(parse_qsl(arguments.query, keep_blank_values=True)),
        body=(arguments.body or "").encode(),
        content_type=headers.get("content-type", "application/json" if arguments.body else None),
    )
    local = Local(variables=dict(arguments.var), folder=arguments.file.parent, outbound=settings)
    async with executor(settings, local) as running:
        needed = await needed_modules(folder, running, source, limits)
        name = arguments.file.stem
        script = ScriptVersion(uuid7(), NOBODY, 1, name, "endpoint", source, limits, needed)
        return await running.execute(Invocation(uuid7(), script, HttpCause("cli", str(uuid7()), request)))


def _print(outcome: Outcome, name: str, source: str, folder: FolderSources, figures: bool) -> None:
    missing = outcome.logs_dropped
    for line in outcome.logs:
        missing -= line.dropped
        if line.dropped:
            print(f"({line.dropped} log lines were dropped)", file=sys.stderr)
        data = f" {line.data}" if line.data else ""
        print(f"{paint(line.level, '2', sys.stderr)} {line.message}{data}", file=sys.stderr)
    if missing:
        print(f"({missing} more log lines were dropped)", file=sys.stderr)
    if outcome.response is not None:
        headers = "".join(f"\n{key}: {value}" for key, value in outcome.response.headers)
        print(paint(f"{outcome.response.status}{headers}", "2", sys.stderr), file=sys.stderr)
        sys.stderr.flush()
        sys.stdout.buffer.write(outcome.response.body)
        if sys.stdout.isatty() and not outcome.response.body.endswith(b"\n"):
            print()
        sys.stdout.flush()
    if outcome.error is not None:
        print(_excerpt(outcome.error, name, source, folder), file=sys.stderr)
        print(f"{paint(outcome.code, '31', sys.stderr)} (HTTP status {outcome.status})", file=sys.stderr)
    if figures:
        print(_figures(outcome), file=sys.stderr)


def _excerpt(error: ScriptError, name: str, source: str, folder: FolderSources) -> str:
    """Format the position of an error in the script or in the file of a module."""
    file = folder.file(error.module) if error.module is not None else None
    if file is None:
        return excerpt(error, name, source)
    return excerpt(replace(error, module=None), str(file), file.read_text("utf-8-sig"))


def _figures(outcome: Outcome) -> str:
    figures = outcome.figures
    calls = ", ".join(f"{name} {count}" for name, count in sorted(figures.host_calls.items())) or "none"
    operations = "?" if figures.operations is None else f"{figures.operations:,}"
    return "\n".join(
        (
            f"fuel        {figures.fuel:,}",
            f"operations  {operations}",
            f"memory      {figures.peak_memory_bytes / 2**20:.2f} MiB",
            f"time        {figures.wall_ms:.2f} ms ({figures.cache})",
            f"  of it     {figures.host_call_ms:.2f} ms in host calls",
            f"host calls  {calls}",
        )
    )


def _as_json(outcome: Outcome) -> dict[str, Any]:
    """Convert an outcome to JSON, with the field names of the execution log."""
    figures, response, error = outcome.figures, outcome.response, outcome.error
    return {
        "outcome": outcome.code,
        "status": outcome.status,
        "response": response
        and {
            "status": response.status,
            "headers": [list(header) for header in response.headers],
            "body": response.body.decode("utf-8", "replace"),
        },
        "error": error
        and {
            "message": error.message,
            "line": error.line,
            "column": error.column,
            "module": error.module,
            "thrown": None if error.thrown is None else json.loads(error.thrown),
        },
        "logs": [
            {
                "level": line.level,
                "message": line.message,
                "data": json.loads(line.data) if line.data else None,
                **({"dropped": line.dropped} if line.dropped else {}),
            }
            for line in outcome.logs
        ],
        "logs_dropped": outcome.logs_dropped,
        "cache": figures.cache,
        "fuel": figures.fuel,
        "operations": figures.operations,
        "peak_memory_bytes": figures.peak_memory_bytes,
        "wall_ms": figures.wall_ms,
        "host_call_ms": figures.host_call_ms,
        "host_calls": figures.host_calls,
    }
