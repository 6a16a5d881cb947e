"""Password hashing with argon2id, on a few threads outside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from picloud.core.errors import Invalid, Overloaded

MIN_BYTES, MAX_BYTES = 10, 256
MAX_WAITING = 100
"""Hashes that can wait for a thread; a flood of log-ins must not queue for minutes."""

Result = TypeVar("Result")


def check_password(password: str) -> None:
    """Check the length of a password before it is hashed.

    Args:
        password: the plain password.

    Raises:
        Invalid: it does not have 10 to 256 bytes of UTF-8.
    """
    try:
        size = len(password.encode())
    except UnicodeEncodeError:
        raise Invalid("the password is not valid UTF-8", field="password") from None
    if not MIN_BYTES <= size <= MAX_BYTES:
        raise Invalid(
            f"the password must have {MIN_BYTES} to {MAX_BYTES} bytes, not {size}", field="password"
        )


class Passwords:
    """Hashes and checks passwords on its own threads, whose number limits memory and CPU use."""

    def __init__(self, threads: int = 2, hasher: PasswordHasher | None = None) -> None:
        """Create a `Passwords`.

        Args:
            threads: hashes computed at once; each takes 32 MiB.
            hasher: argon2id parameters; by default 3 passes over 32 MiB.
        """
        self._hasher = hasher or PasswordHasher(time_cost=3, memory_cost=32 * 1024, parallelism=1)
        self._threads = ThreadPoolExecutor(threads, "argon2")
        self._dummy: str | None = None
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """Hash a password.

        Args:
            password: 10 to 256 bytes.

        Returns:
            The argon2 string to store.

        Raises:
            Invalid: see `check_password`.
            Overloaded: too many passwords are being hashed.
        """
        check_password(password)
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Check a password; an unknown user takes the same time.

        Args:
            stored: the argon2 string, or None when the user does not exist.
            password: the password to check.

        Returns:
            True when it is the user's password.

        Raises:
            Overloaded: too many passwords are being checked.
        """
        if len(password.encode()) > MAX_BYTES:
            return False
        return await self._run(lambda: self._verify(stored, password))

    def is_outdated(self, stored: str) -> bool:
        """Return whether a hash has other parameters than the current ones."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """Stop the threads and cancel waiting hashes."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, stored: str | None, password: str) -> bool:
        # Also computed for known names, or the first unknown name of a process would take twice as long.
        self._dummy = self._dummy or self._hasher.hash("no user has this password")
        try:
            self._hasher.verify(stored or self._dummy, password)
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self._waiting >= MAX_WAITING:
            raise Overloaded("too many passwords are being checked; try again in a second")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
