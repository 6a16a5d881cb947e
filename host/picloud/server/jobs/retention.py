"""What is over is forgotten: an hourly round over what only grows."""

from __future__ import annotations

import time
from datetime import timedelta

from picloud.core.ids import first_id_of
from picloud.core.periodic import PeriodicTask
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.identity.login_sources import REMEMBER
from picloud.identity.throttle import FORGET

EVERY_SECONDS = 3600.0
BATCH = 5000
EXPIRED_KEYS = timedelta(days=30)
"""So long a key that expired is still listed."""

_SQL = load("retention")


class Retention:
    """Sweeps the logs of audit and executions, sessions, keys, log-in attempts and places, and setup links.

    Two nodes that do it at once do no harm.
    """

    def __init__(self, database: Database, audit_days: int, execution_days: int = 0) -> None:
        """Make it, idle.

        Args:
            database: the pool.
            audit_days: entries of the audit log older than this are forgotten; 0 keeps them for ever.
            execution_days: the same of the execution log.
        """
        self._database = database
        self._days = {_SQL.audit_sweep: audit_days, _SQL.executions_sweep: execution_days}
        self._rounds = PeriodicTask("nothing was swept", EVERY_SECONDS, self.sweep)

    def start(self) -> None:
        """Make a round now and then every hour."""
        self._rounds.start()

    async def close(self) -> None:
        """Stop."""
        await self._rounds.close()

    async def sweep(self) -> None:
        """Make one round.

        Raises:
            Unavailable: the database is away.
        """
        await self._database.execute(_SQL.sessions_sweep)
        await self._database.execute(_SQL.setup_links_sweep)
        await self._database.execute(_SQL.keys_sweep, EXPIRED_KEYS)
        await self._database.execute(_SQL.attempts_sweep, FORGET)
        await self._database.execute(_SQL.sources_sweep, REMEMBER)
        for sweep, days in self._days.items():
            if not days:
                continue
            oldest = first_id_of(time.time() - timedelta(days=days).total_seconds())
            while await self._database.execute(sweep, oldest, BATCH) != "DELETE 0":
                pass  # in batches, so that none holds locks or memory for long
