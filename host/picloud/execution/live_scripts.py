"""Script id -> the version to execute and its modules, from memory while nothing was saved."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from cachetools import LRUCache

from picloud.control.scripts.modules import Loaded, Modules
from picloud.core.generations import Generations
from picloud.core.single_flight import SingleFlight
from picloud.execution.invocation import ScriptVersion
from picloud.sandbox.limits import PER_SCRIPT, Ceilings

CACHE_BYTES = 64 * 1024 * 1024
_OVERHEAD = 2048  # bytes an entry takes beside its source, roughly


@dataclass(frozen=True, slots=True)
class LiveScript:
    """The current version of a script.

    Attributes:
        version: what to execute.
        loaded: what it was made from.
        members_only: whether executing it directly needs a principal.
        generation: where the topic was before it was read.
    """

    version: ScriptVersion
    loaded: Loaded
    members_only: bool
    generation: bytes

    @property
    def size(self) -> int:
        """Bytes of memory it takes, roughly; a source that scripts share counts for each of them."""
        return sum(len(source) + _OVERHEAD for source in self.loaded.sources.values())


class LiveScripts:
    """Keeps the scripts this worker executes."""

    def __init__(self, modules: Modules, generations: Generations, ceilings: Ceilings) -> None:
        """Make it."""
        self._modules = modules
        self._current = generations.current
        self._ceilings = ceilings
        self._live: LRUCache[UUID, LiveScript] = LRUCache(CACHE_BYTES, getsizeof=lambda live: live.size)
        # A save makes every worker read anew: one of a script's callers does, the others wait for it.
        self._flights: SingleFlight[UUID] = SingleFlight()

    async def get(self, script_id: UUID) -> LiveScript:
        """The script as it is now.

        Args:
            script_id: the script.

        Returns:
            Its current version.

        Raises:
            NotFound: there is none.
            Unavailable: it had to be read and the database cannot be reached.
        """
        live = self._known(script_id)
        if live is None:
            live = await self._flights.get(
                script_id, lambda: self._known(script_id), lambda: self._read(script_id)
            )
        return live

    def _known(self, script_id: UUID) -> LiveScript | None:
        live = self._live.get(script_id)
        return live if live is not None and live.generation == self._current("scripts") else None

    async def _read(self, script_id: UUID) -> LiveScript:
        # The generation comes first, so that a save in between leaves this entry out of date.
        generation = self._current("scripts")
        before = self._live.get(script_id)
        loaded = await self._modules.load(script_id, before.loaded if before is not None else None)
        live = LiveScript(self._resolve(loaded), loaded, loaded.execute_access == "members", generation)
        self._live[script_id] = live
        return live

    def _resolve(self, script: Loaded) -> ScriptVersion:
        # The operator may have lowered a ceiling after the override was saved.
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
            script.refusal,
        )
