"""`picloud push`: updates an app on a server from a folder."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from picloud.cli.commands import Commands
from picloud.cli.exits import DONE, NOT_FOUND, Failure
from picloud.cli.prompt import ask, at_terminal, confirm_by_name
from picloud.cli.remote.client import ApiError, Client, Json, Unreachable
from picloud.cli.remote.context import Context, add_options, command
from picloud.cli.remote.folder import imports, limits, plan, project, state
from picloud.cli.remote.folder import remote_app as server
from picloud.cli.remote.folder.model import Project, Remote
from picloud.cli.remote.folder.plan import Step, Verb
from picloud.cli.remote.folder.state import Base, State, digest
from picloud.cli.remote.output import print_json
from picloud.cli.terminal import fail, paint, plain

_SIGNS = {"create": ("+", "32"), "update": ("~", "33"), "delete": ("-", "31")}


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "push",
        help="update an app from a folder",
        description="Update an app on the server to match a folder with a picloud.toml. All sources are "
        "parsed before anything changes. Objects missing from the folder are kept, unless --prune is given.",
    )
    add_folder_options(parser)
    parser.add_argument("--dry-run", action="store_true", help="only print the plan")
    parser.set_defaults(main=command(_push))


def add_folder_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `push` and `dev`."""
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path(), metavar="DIR", help="default: this one"
    )
    parser.add_argument("--prune", action="store_true", help="delete objects missing from the folder")
    parser.add_argument(
        "--force", action="store_true", help="overwrite changes made on the server since the last pull"
    )
    parser.add_argument("--create-app", action="store_true", help="create the app if it does not exist")
    parser.add_argument("--message", "-m", default="", help="message of the saved versions")
    parser.add_argument("--yes", action="store_true", help="delete without confirmation")
    add_options(parser, app=True)


@dataclass(frozen=True, slots=True)
class Pushed:
    """The result of a push.

    Attributes:
        project: the project of the folder.
        app_id: id of the app; "" if it does not exist and was not created.
        steps: the steps of the plan.
        left_over: objects on the server that are missing from the folder.
        missing: imported modules that do not exist.
    """

    project: Project
    app_id: str
    steps: list[Step]
    left_over: list[str]
    missing: list[str]

    @property
    def as_json(self) -> Json:
        """The result as JSON."""
        names = ("verb", "noun", "name", "about")
        steps = [{name: getattr(step, name) for name in names} for step in self.steps]
        return {
            "app": self.project.slug,
            "steps": steps,
            "left_over": self.left_over,
            "missing": self.missing,
        }


async def _push(context: Context) -> int:
    dry = context.arguments.dry_run
    pushed = await push(context, dry)
    if context.json:
        print_json({**pushed.as_json, "done": not dry})
        return DONE
    print(summary(pushed, dry))
    if pushed.left_over:
        left = ", ".join(map(plain, pushed.left_over))
        print(paint(f"not in the folder, kept on the server (use --prune to delete them): {left}", "2"))
    return DONE


def summary(pushed: Pushed, dry: bool = False) -> str:
    """Format a push: a summary line, and a line for each import of a missing module."""
    if not pushed.steps:
        return f"{plain(pushed.project.slug)}: nothing to do"
    counts = Counter(step.verb for step in pushed.steps)
    words: dict[Verb, str] = {"create": "new", "update": "changed", "delete": "deleted"}
    changes = ", ".join(f"{counts[verb]} {word}" for verb, word in words.items() if counts[verb])
    first = f"{plain(pushed.project.slug)}: {changes}" + (" (dry run: no changes made)" if dry else "")
    return "\n".join([first, *(f"{paint('note', '33')}: {line}" for line in pushed.missing)])


async def push(context: Context, dry: bool = False) -> Pushed:
    """Plan, print the plan, and apply it.

    Args:
        context: with the arguments of `add_folder_options`.
        dry: stop after the plan; sources are parsed too.

    Raises:
        Failure: nothing was changed, or a step failed after the previous ones were applied.
    """
    typed, client = context.arguments, context.client
    wanted = project.load(typed.folder)
    if typed.app:
        wanted = dataclasses.replace(wanted, slug=typed.app)
    remote = await server.read(client, wanted.slug)
    if remote.id is None and not dry:
        _agree_to_make(context, wanted.slug)
    common = state.read(typed.folder, client.url, remote.id)
    steps = plan.make(wanted, remote, common, typed.prune, typed.force)
    left_over = [] if typed.prune else plan.left_over(wanted, remote)
    if not context.json:
        for step in steps:
            print(shown(step))
    await limits.check(client, wanted)
    names: dict[str, list[str]] = {}
    if remote.id is not None:
        names = await server.validate(client, remote.id, wanted, remote, steps)
        if not typed.force:
            await imports.reject_deletions(client, remote, steps, names)
    if dry:
        return Pushed(
            wanted, remote.id or "", steps, left_over, imports.missing(wanted, remote, steps, names)
        )
    if any(step.verb == "delete" for step in steps):
        confirm_by_name(
            f"deletes the objects marked with - above from the app {plain(wanted.slug)}",
            wanted.slug,
            typed.yes,
        )
    app_id, rest = remote.id, steps
    if app_id is None:
        app_id, names = await _make_app(client, wanted, remote, steps)
        rest = steps[1:]
    await _apply(context, app_id, wanted, remote, common, rest)
    return Pushed(wanted, app_id, steps, left_over, imports.missing(wanted, remote, steps, names))


def shown(step: Step) -> str:
    """Format a step."""
    sign, colour = _SIGNS[step.verb]
    about = paint(f"  {plain(step.about)}", "2") if step.about else ""
    return f"{paint(sign, colour)} {step.noun} {plain(step.name)}{about}"


def _agree_to_make(context: Context, slug: str) -> None:
    if context.arguments.create_app:
        return
    if at_terminal():
        if ask(f"App {plain(slug)} not found on {context.client.url}. Create it? [y/N]").lower() in (
            "y",
            "yes",
        ):
            return
        raise Failure("nothing was changed", NOT_FOUND, "not_found")
    raise Failure(f"app {slug!r} not found; create it with --create-app", NOT_FOUND, "not_found")


async def _make_app(
    client: Client, wanted: Project, remote: Remote, steps: list[Step]
) -> tuple[str, dict[str, list[str]]]:
    """Create the app and validate the sources in it; if one is invalid, delete the app.

    Returns:
        Its id, and the imports of the scripts.
    """
    made: Json = await client.call("POST", "apps", steps[0].body)
    app_id = str(made["id"])
    try:
        return app_id, await server.validate(client, app_id, wanted, remote, steps)
    except Failure:
        with contextlib.suppress(ApiError, Unreachable):
            await client.call("DELETE", "apps/{app}", app=app_id)
        raise


async def _apply(
    context: Context, app_id: str, wanted: Project, remote: Remote, common: State, steps: list[Step]
) -> None:
    """Run the steps and save the common state, also when one fails."""
    bases = _bases(wanted, remote, common, steps)
    count = 0

    def done(step: Step, answer: Json) -> None:
        nonlocal count
        count += 1
        if step.noun != "script":
            return
        if step.verb == "delete":
            bases.pop(step.name, None)
        else:
            source = wanted.scripts[step.name].source
            bases[step.name] = Base(answer["version"], digest(source), wanted.files[step.name])

    try:
        await server.apply(context.client, app_id, remote, steps, context.arguments.message, done)
    except (ApiError, Unreachable):
        if not context.json:
            step = steps[count]
            what = f"{step.verb} {step.noun} {plain(step.name)}"
            fail(f"applied {count} of {len(steps)} steps; this one failed: {what}")
        raise
    finally:
        state.write(context.arguments.folder, context.client.url, app_id, bases)


def _bases(wanted: Project, remote: Remote, common: State, steps: list[Step]) -> dict[str, Base]:
    """Return the common state before the steps: everything before the first sync, else what has no step."""
    waiting = {step.name for step in steps if step.noun == "script"}
    bases = {} if not common.has_synced else dict(common.scripts)
    for name, script in remote.scripts.items():
        if not common.has_synced or (name in wanted.scripts and name not in waiting):
            file = wanted.files.get(name, "")
            bases[name] = Base(remote.held[name].version, digest(script.source), file)
    return bases
