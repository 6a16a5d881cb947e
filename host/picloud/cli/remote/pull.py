"""`picloud pull`: writes an app into a folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from picloud.cli.commands import Commands
from picloud.cli.exits import CONFLICT, DONE, NOT_FOUND, Failure, wrong_use
from picloud.cli.remote.atomic_file import write_whole
from picloud.cli.remote.context import PROJECT, Context, add_options, app_of_folder, command
from picloud.cli.remote.folder import project, state
from picloud.cli.remote.folder import remote_app as server
from picloud.cli.remote.folder import toml_writer as text
from picloud.cli.remote.folder.file_names import file_names, is_script_file
from picloud.cli.remote.folder.model import Project, Remote
from picloud.cli.remote.folder.state import Base, State, digest
from picloud.cli.remote.output import print_json
from picloud.cli.terminal import plain


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "pull",
        help="write an app into a folder",
        description="Write the picloud.toml and scripts of an app into a folder. Local changes since the "
        "last pull or push are overwritten only with --force.",
    )
    parser.add_argument("slug", nargs="?", metavar="APP", help="slug or id (default: this folder's)")
    parser.add_argument(
        "folder", nargs="?", type=Path, metavar="DIR", help="default: this one if it is the app's, else ./APP"
    )
    parser.add_argument("--force", action="store_true", help="overwrite local changes")
    add_options(parser)
    parser.set_defaults(main=command(_pull))


@dataclass(frozen=True, slots=True)
class Writing:
    """The plan of a pull.

    Attributes:
        files: file -> its new content.
        gone: files of scripts that were deleted on the server.
        changed: files with local changes, for display; a pull would overwrite them.
        bases: the common state afterwards.
    """

    files: dict[str, str]
    gone: list[str]
    changed: list[str]
    bases: dict[str, Base]


async def _pull(context: Context) -> int:
    typed = context.arguments
    slug = typed.slug or app_of_folder()
    if not slug:
        raise wrong_use(f"no app given; use picloud pull APP, or change to a folder with a {PROJECT}")
    remote = await server.read(context.client, slug)
    if remote.id is None:
        raise Failure(f"app {slug!r} not found", NOT_FOUND, "not_found")
    folder = typed.folder or _folder(typed.slug, remote.slug)
    common = state.read(folder, context.client.url, remote.id)
    writing = compare(folder, remote, common)
    if writing.changed and not typed.force:
        raise Failure(
            f"changed in the folder since the last pull or push: {', '.join(writing.changed)}; "
            "push first, or use --force to overwrite these changes",
            CONFLICT,
            "conflict",
        )
    _write(folder, writing)
    state.write(folder, context.client.url, remote.id, writing.bases)
    if context.json:
        done = {
            "app": remote.slug,
            "folder": str(folder),
            "written": list(writing.files),
            "deleted": writing.gone,
        }
        print_json(done)
        return DONE
    for file in writing.files:
        print(f"wrote {plain(str(folder / file))}")
    for file in writing.gone:
        print(f"deleted {plain(str(folder / file))}")
    if not writing.files and not writing.gone:
        print(f"{plain(str(folder))} is up to date with app {plain(remote.slug)}")
    return DONE


def _folder(asked: str | None, slug: str) -> Path:
    if asked is None or app_of_folder() == slug:
        return Path()
    return Path(slug)


def compare(folder: Path, remote: Remote, common: State) -> Writing:
    """Plan a pull: the files it writes, and the local changes it would overwrite.

    Args:
        folder: the folder; may not exist yet.
        remote: the app on the server.
        common: the common state after the last sync.

    Raises:
        Failure: a file is a link to outside the folder.
    """
    local = _local(folder)
    taken = {name: base.file for name, base in common.scripts.items() if is_script_file(base.file)}
    files = file_names(remote.scripts, _kept(folder, taken | dict(local.files if local else {}), remote))
    wanted = text.project_of(remote.slug, remote, files)
    if local is not None:  # keys that are absent in the folder stay absent
        fields = ("name", "description", "domains", "routes", "variables")
        silent: dict[str, Any] = {name: None for name in fields if getattr(local, name) is None}
        wanted = replace(wanted, **silent)
    written: dict[str, str] = {}
    changed = []
    for name, file in files.items():
        source = remote.scripts[name].source
        there = _text(folder, file)
        if there == source:
            continue
        written[file] = source
        base = common.scripts.get(name)
        if there is not None and (base is None or base.sha256 != digest(there)):
            changed.append(file)
    gone = []
    for name, base in common.scripts.items():
        if name not in remote.scripts and base.file not in files.values() and base.file:
            there = _text(folder, base.file)
            if there is not None and digest(there) == base.sha256 and is_script_file(base.file):
                gone.append(base.file)
    new, old = text.write(wanted), _text(folder, PROJECT)
    if old != new and (local is None or text.write(text.arranged(local)) != new):
        written[PROJECT] = new
        # What a person wrote has comments and an order of its own.
        if old is not None and (local is None or text.write(local) != old):
            changed.append(f"{PROJECT} (written by hand)")
    bases = {
        name: Base(remote.held[name].version, digest(remote.scripts[name].source), file)
        for name, file in files.items()
    }
    return Writing(written, gone, changed, bases)


def _local(folder: Path) -> Project | None:
    try:
        return project.load(folder)
    except Failure:
        return None


def _kept(folder: Path, taken: dict[str, str], remote: Remote) -> dict[str, str]:
    """Return the existing files of the server's scripts; without files outside the folder."""
    root = folder.resolve()
    return {
        name: file
        for name, file in taken.items()
        if name in remote.scripts and (folder / file).resolve().is_relative_to(root) and file != PROJECT
    }


def _text(folder: Path, file: str) -> str | None:
    """Return the content of a file, or None if it does not exist."""
    path = folder / file
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise wrong_use(f"{path} is not a regular file; move it away")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise wrong_use(f"{path} is outside the folder")
    try:
        return path.read_bytes().decode("utf-8-sig", "surrogateescape")
    except FileNotFoundError:
        return None


def _write(folder: Path, writing: Writing) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in writing.files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            write_whole(folder / file, content.encode())
        for file in writing.gone:
            (folder / file).unlink(missing_ok=True)
    except OSError as error:
        raise Failure(f"{error.filename} cannot be written: {error.strerror}") from error
