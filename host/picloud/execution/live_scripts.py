"""App and script id -> the version to execute and its modules, from memory while its app saved nothing."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from cachetools import LRUCache

from picloud.control.scripts.modules import Loaded, Modules
from picloud.core.generations import Generations
from picloud.core.single_flight import SingleFlight
from picloud.db.pool import Database
from picloud.db.queries import load
from picloud.db.revisions import Revisions
from picloud.execution.invocation import ScriptVersion
from picloud.sandbox.limits import PER_SCRIPT, Ceilings

CACHE_BYTES = 64 * 1024 * 1024
_SQL = load("scripts")
_OVERHEAD = 2048  # approximate bytes per entry, in addition to its source
_MAX_APPS = 65_536  # scripts whose app is remembered


@dataclass(frozen=True, slots=True)
class LiveScript:
    """The current version of a script.

    Attributes:
        version: the version to execute.
        loaded: the stored script.
        access: who can execute it by its id.
    """

    version: ScriptVersion
    loaded: Loaded
    access: str

    @property
    def size(self) -> int:
        """Approximate bytes of memory; a shared source counts for each script."""
        return sum(len(source) + _OVERHEAD for source in self.loaded.sources.values())


class LiveScripts:
    """Caches the scripts that a worker executes."""

    def __init__(
        self, database: Database, modules: Modules, generations: Generations, ceilings: Ceilings
    ) -> None:
        """Create a `LiveScripts`.

        Args:
            modules: reads scripts.
            generations: show when scripts were saved.
            ceilings: limits of this instance.
        """
        self._modules = modules
        self._revisions = Revisions(database, generations, "scripts", _SQL.script_revisions)
        self._ceilings = ceilings
        self._live: LRUCache[tuple[UUID, UUID], LiveScript] = LRUCache(
            CACHE_BYTES, getsizeof=lambda live: live.size
        )
        # After a save, one of the concurrent callers reads the script again, and the others wait for it.
        self._loads: SingleFlight[tuple[UUID, UUID]] = SingleFlight()
        # Script -> its app. It never changes and ids are unique, so this is never out of date.
        self._apps: LRUCache[UUID, UUID] = LRUCache(_MAX_APPS)

    async def get(self, app_id: UUID, script_id: UUID) -> LiveScript:
        """Return the current version of a script.

        Raises:
            NotFound: the app has no such script.
            Unavailable: the database cannot be reached.
        """
        key = (app_id, script_id)
        live = self._known(key)
        if live is None:
            live = await self._loads.get(key, lambda: self._known(key), lambda: self._read(key))
        return live

    async def app_of(self, script_id: UUID) -> UUID:
        """Return the app of a script, for a request with only the script's id.

        The script may be deleted already; `get` checks.

        Raises:
            NotFound: the script does not exist.
            Unavailable: the database cannot be reached.
        """
        app_id = self._apps.get(script_id)
        if app_id is None:
            app_id = self._apps[script_id] = await self._modules.app_of(script_id)
        return app_id

    def _known(self, key: tuple[UUID, UUID]) -> LiveScript | None:
        live = self._live.get(key)
        if live is None or self._revisions.known(key[0]) != live.loaded.revision:
            return None
        return live

    async def _read(self, key: tuple[UUID, UUID]) -> LiveScript:
        mark = await self._revisions.compare()
        known = self._known(key)
        if known is not None:  # another app was changed
            return known
        before = self._live.get(key)
        loaded = await self._modules.load(*key, before.loaded if before is not None else None)
        self._revisions.keep(key[0], loaded.revision, mark)
        live = LiveScript(self._resolve(loaded), loaded, loaded.execute_access)
        self._live[key] = live
        return live

    def _resolve(self, script: Loaded) -> ScriptVersion:
        # The operator can lower a ceiling after an override was saved.
        overrides = {
            name: min(value, self._ceilings[name])
            for name, value in script.sandbox.items()
            if name in PER_SCRIPT
        }
        return ScriptVersion(
            script.id,
            script.app_id,
            script.version,
            script.name,
            script.kind,
            script.source,
            self._ceilings.resolve(overrides),
            script.modules,
            script.problem,
            script.record_bodies,
            script.public_errors,
        )
