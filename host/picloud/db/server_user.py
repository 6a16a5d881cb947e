"""The system user of the embedded database server.

PostgreSQL does not run as root. So a PiCloud that runs as root starts the server as `nobody`. If `nobody`
cannot reach the data or the binaries (for example below a 0700 home), root is mapped to an unprivileged
number in a user namespace: the server is then an ordinary user that owns the files of root, without the
rights of root.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import signal
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from picloud.db.unusable import DatabaseUnusable

_CLONE_NEWUSER = 0x10000000  # linux/sched.h
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class ServerUser:
    """The user and group a server process runs as.

    Attributes:
        uid: owner of the server's files, as this process sees it.
        gid: group of the server's files, as this process sees it.
        mapped: the process has the number of `nobody` in its own user namespace.
    """

    uid: int
    gid: int
    mapped: bool = False

    def spawn(
        self,
        command: Sequence[str | Path],
        death_signal: signal.Signals,
        output: int | IO[bytes],
        folder: Path = Path("/"),
    ) -> subprocess.Popen[bytes]:
        """Start a process as this user that does not outlive its parent.

        Call it from the main thread: the kernel watches the thread that forks, not the process.

        Args:
            command: program and arguments.
            death_signal: what the kernel sends the process when the parent dies (Linux).
            output: where its standard output and error go.
            folder: working folder, entered as this user.

        Raises:
            OSError: the program cannot be run by this user.
            subprocess.SubprocessError: the namespace cannot be created or the folder not be entered.
        """
        parent = os.getpid()
        mapping = _nobody() if self.mapped else None

        def prepare() -> None:
            # Popen has changed the user by now. Every such change clears the death signal: it comes last.
            if mapping is not None:
                _enter_namespace(mapping, (self.uid, self.gid))
            os.chdir(folder)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            if sys.platform == "linux":
                _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
                if os.getppid() != parent:  # the parent died before prctl
                    os._exit(1)

        become: dict[str, Any] = {}
        if self.uid != os.geteuid():
            become = {"user": self.uid, "group": self.gid, "extra_groups": ()}
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            umask=0o077,
            env=_environment(),
            start_new_session=True,  # a Ctrl-C at the terminal is for the parent, which stops things in order
            preexec_fn=prepare,
            **become,
        )

    def run(
        self, command: Sequence[str | Path], folder: Path = Path("/")
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as this user to its end; return its exit code and output (both streams).

        Raises:
            OSError, subprocess.SubprocessError: as `spawn`.
        """
        process = self.spawn(command, signal.SIGKILL, subprocess.PIPE, folder)
        try:
            output, _ = process.communicate()
        except BaseException:
            process.kill()
            process.communicate()
            raise
        return subprocess.CompletedProcess(
            process.args, process.returncode, output.decode("utf-8", "replace")
        )

    def can_run(self, program: Path, folder: Path) -> bool:
        """Return whether this user can run `program` and work in `folder`."""
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            return self.run([program, "--version"], folder).returncode == 0
        return False


def choose(program: Path, data_dir: Path, cluster: Path) -> ServerUser:
    """Choose the user for the server of `cluster`.

    Args:
        program: a binary of the server.
        data_dir: the folder of the cluster, which may not exist yet.
        cluster: the folder of the cluster; if it exists, its owner is chosen.

    Raises:
        DatabaseUnusable: the cluster belongs to another user, or no user can reach it.
    """
    me = os.geteuid()
    if me == 0:
        candidates = [ServerUser(*_nobody()), ServerUser(0, os.getegid(), mapped=True)]
    else:  # initdb looks its user up by number, so a user without a name needs a mapping too
        candidates = [ServerUser(me, os.getegid(), mapped=user_name(me).isdigit())]
    if cluster.exists():
        owner = cluster.stat().st_uid
        candidates = [user for user in candidates if user.uid == owner]
        if not candidates:
            raise DatabaseUnusable(
                f"the database in {cluster} belongs to the user {user_name(owner)}, "
                f"but PiCloud runs as {user_name(me)}; start it as {user_name(owner)}, "
                "or change the owner with chown -R"
            )
    for user in candidates:
        if user.can_run(program, data_dir):
            return user
    raise DatabaseUnusable(_why_not(candidates[0], program, data_dir, cluster))


def _why_not(user: ServerUser, program: Path, data_dir: Path, cluster: Path) -> str:
    if os.geteuid() != 0:
        return (
            f"the user {user_name(user.uid)} cannot run {program} in {data_dir}; "
            "check the permissions of both"
        )
    if user.mapped:
        return (
            f"the database in {cluster} belongs to root, PostgreSQL does not run as root, and this system "
            f"allows no user namespace for it; change its owner with chown -R nobody {cluster}"
        )
    closed = [
        str(folder)
        for path in (data_dir / "x", program)
        for folder in reversed(path.parents)
        if not folder.stat().st_mode & stat.S_IXOTH
    ]
    what = f"cannot enter {closed[0]}" if closed else f"cannot run {program} in {data_dir}"
    fix = f"run chmod o+x {' '.join(dict.fromkeys(closed))}, or " if closed else ""
    return (
        f"PostgreSQL does not run as root, and the user nobody, who runs it instead, {what}; "
        f"{fix}start PiCloud as an ordinary user, or use another data folder"
    )


def _environment() -> dict[str, str]:
    """Only what the server needs: the environment can contain secrets, and PG* variables that change it."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", **kept}


def _enter_namespace(inside: tuple[int, int], outside: tuple[int, int]) -> None:
    if _libc.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{inside[0]} {outside[0]} 1"),
        ("gid_map", f"{inside[1]} {outside[1]} 1"),
    ):
        Path(f"/proc/self/{name}").write_text(text, "ascii")


def _nobody() -> tuple[int, int]:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise DatabaseUnusable(
            "PostgreSQL does not run as root, and this system has no user named nobody; "
            "start PiCloud as an ordinary user"
        ) from None
    return entry.pw_uid, entry.pw_gid


def user_name(uid: int) -> str:
    """Return the name of a user, or the number of a user without a name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
