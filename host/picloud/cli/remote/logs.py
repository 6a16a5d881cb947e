"""`picloud logs`: executions with their log lines and outbound calls."""

from __future__ import annotations

import json
from contextlib import aclosing
from datetime import datetime
from typing import Any

from picloud.cli.commands import Commands
from picloud.cli.exits import DONE
from picloud.cli.remote.client import Client, Json
from picloud.cli.remote.context import Context, add_options, command
from picloud.cli.remote.follow import follow
from picloud.cli.remote.output import print_json
from picloud.cli.remote.resource import positive
from picloud.cli.terminal import json_text, paint, plain

_LIMIT = 20
_OMITTED = {"private": "the script is private", "rate": "the log grows too fast"}
_LEVELS = {"error": "31", "warn": "33", "info": "36"}


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "logs",
        help="show executions with their log lines and outbound calls",
        description="Show the last executions of an app, oldest first, with their log lines and outbound "
        "calls. With --follow, print new executions until Ctrl-C; --json then prints one per line.",
    )
    parser.add_argument("--script", metavar="NAME", help="only executions of this script: name or id")
    parser.add_argument("--outcome", help="only executions with this outcome: ok, or an error code")
    parser.add_argument(
        "--limit",
        type=positive,
        default=_LIMIT,
        metavar="N",
        help=f"number of executions (default: {_LIMIT})",
    )
    parser.add_argument(
        "--follow", "-f", action="store_true", help="print new executions as they are recorded"
    )
    add_options(parser, app=True)
    parser.set_defaults(main=command(_logs))


async def _logs(context: Context) -> int:
    typed = context.arguments
    query: Json = {"outcome": typed.outcome}
    if typed.script is None:
        path, parts = "apps/{app}/executions", {"app": context.app}
    else:
        path, parts = "scripts/{script}/logs", {"script": await context.script_id(typed.script)}
    of_app = "" if typed.script else context.app
    if typed.follow:
        await print_all(context, path, query, parts, typed.limit, of_app)
        return DONE
    items = await context.client.items(path, query, typed.limit, **parts)
    if context.json:
        print_json(items)
        return DONE
    names = Names(context.client, of_app)
    for item in reversed(items):
        print(await shown(item, names))
    if not items:
        print(paint("nothing was executed", "2"))
    return DONE


async def print_all(
    context: Context, path: str, query: Json, parts: dict[str, str], limit: int, app: str
) -> None:
    """Print executions without end, as they are recorded; for programs, one JSON object per line.

    Args:
        context: of the command.
        path: path of a list of executions.
        query: its query parameters.
        parts: its path parameters.
        limit: number of existing executions to start with.
        app: id or slug, to look up names of scripts; "" if all are of one script.
    """
    names = Names(context.client, app)
    async with aclosing(follow(context.client, path, query, parts, limit)) as items:
        async for item in items:
            print(json_text(item) if context.json else await shown(item, names), flush=True)


class Names:
    """Names of an app's scripts, reloaded when one is unknown."""

    def __init__(self, client: Client, app: str) -> None:
        """Create it for an app, given by id or slug; "" if all executions are of one script."""
        self._client, self._app = client, app
        self._known: dict[str, str] = {}

    async def of(self, script_id: str) -> str:
        """Return the name of a script, or the start of its id if it was deleted."""
        if script_id not in self._known and self._app:
            scripts = await self._client.items("apps/{app}/scripts", app=self._app)
            self._known |= {script_id: script_id[:8]} | {one["id"]: one["name"] for one in scripts}
        return self._known.get(script_id, "")


async def shown(item: Json, names: Names) -> str:
    """Format an execution: a summary, then its log lines and outbound calls."""
    began = datetime.fromisoformat(item["started_at"]).astimezone().strftime("%H:%M:%S.%f")[:-3]
    # What started it: method and path of a request, source and operation of an event.
    about: Json = item.get("request") or item.get("event") or {}
    parts = (about.get(part) for part in ("method", "path", "source", "op"))
    what = " ".join(str(part) for part in parts if part) or item["ingress"]
    name = await names.of(item["script_id"])
    fine = item["outcome"] == "ok"
    outcome = paint(plain(f"{item['status'] or '-'} {item['outcome']}"), "32" if fine else "31")
    subject = plain(f"{name} v{item['version']}  {what}".strip())
    took = paint(f"{item['wall_ms']:.1f} ms", "2")
    lines = [f"{paint(began, '2')}  {subject}  {outcome}  {took}"]
    missing = item["logs_dropped"]
    for line in item["logs"]:
        if dropped := line.get("dropped"):
            missing -= dropped
            lines.append(paint(f"    ({plain(str(dropped))} lines were dropped)", "2"))
        lines.append(_line(line))
    if missing:
        lines.append(paint(f"    ({plain(str(missing))} more lines were dropped)", "2"))
    lines += [_call(decision) for decision in item["outbound"]]
    if item["outbound_dropped"]:
        lines.append(paint(f"    ({plain(str(item['outbound_dropped']))} more calls were not recorded)", "2"))
    if item.get("omitted"):
        lines.append(paint(f"    (only figures are on record: {_OMITTED.get(item['omitted'], '?')})", "2"))
    if item["error"]:
        lines.append(f"    {paint('error', '31')} {plain(_place(item['error']))}")
        if thrown := _thrown(item["error"]):
            lines.append(f"    {paint('threw', '31')} {plain(thrown)}")
    return "\n".join(lines)


def _line(line: Json) -> str:
    data = "" if line.get("data") is None else f" {json.dumps(line['data'], ensure_ascii=False)}"
    level = paint(plain(line["level"]), _LEVELS.get(line["level"], "2"))
    return f"    {level} {plain(str(line['message']) + data)}"


def _call(decision: Json) -> str:
    """Format an outbound call: target, result and cost."""
    allowed = decision["category"] == "allowed"
    came = decision["error"] or decision["status"] or "-" if allowed else f"denied: {decision['category']}"
    fine = allowed and not decision["error"]
    where = plain(f"{decision['method']} {decision['host'] or '?'}".strip())
    hops = decision["hops"]
    cost = [f"{hops} redirect{'' if hops == 1 else 's'}"] if hops else []
    if allowed:
        sizes = f"{decision['bytes_out']} bytes out, {decision['bytes_in']} in"
        cost += [f"{decision['ms']:.1f} ms", sizes]
    outcome = paint(plain(str(came)), "32" if fine else "31")
    return f"    {paint('http', '36')} {where}  {outcome}  {paint(plain(', '.join(cost)), '2')}".rstrip()


def _place(error: dict[str, Any]) -> str:
    place = (
        "" if error.get("line") is None else f" (line {error['line']}, column {error.get('column') or '?'}"
    )
    module = f", module {error['module']}" if error.get("module") else ""
    return str(error["message"]) + (f"{place}{module})" if place else "")


def _thrown(error: dict[str, Any]) -> str:
    """Format the thrown value; "" if the message shows all of it."""
    value = error.get("thrown")
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return "" if str(error["message"]).startswith((text, str(value))) else text
