"""Modules that a script imports by a name it builds while it runs; the others come with the script."""

from __future__ import annotations

from picloud.services.modules.folder import FolderSources
from picloud.services.modules.service import ModuleSources, host_functions
from picloud.services.service import Service, no_admin

SERVICE: Service[ModuleSources, None] = Service(
    name="modules",
    make=lambda given: ModuleSources(given.database, given.generations),
    admin=no_admin,
    host_functions=host_functions,
    local=lambda given: {} if given.folder is None else host_functions(FolderSources(given.folder)),
)
