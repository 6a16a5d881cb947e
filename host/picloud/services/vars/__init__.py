"""vars: the variables of an app."""

from __future__ import annotations

from picloud.db.queries import load
from picloud.services.service import Service, Stored
from picloud.services.vars.admin import VarsAdmin
from picloud.services.vars.service import MemoryVars, Vars, host_functions

_SQL = load("vars")

SERVICE: Service[Vars, VarsAdmin] = Service(
    name="vars",
    make=lambda given: Vars(given.database, given.generations),
    admin=lambda given, _vars: VarsAdmin(given.database, given.changes),
    host_functions=host_functions,
    local=lambda given: host_functions(MemoryVars(given.variables)),
    capabilities=("vars.read", "vars.write"),
    stored=(Stored("vars", _SQL.vars_count_of_app, _SQL.vars_clear_app),),
)
