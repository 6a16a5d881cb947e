"""kv: the key-value store of an app."""

from __future__ import annotations

from picloud.db.queries import load
from picloud.sandbox.limits import MIB
from picloud.services.kv.admin import KvAdmin
from picloud.services.kv.memory import MemoryKeyValue
from picloud.services.kv.service import DatabaseKeyValue, host_functions
from picloud.services.quotas import Amount, StoreQuota
from picloud.services.service import Service, Stored

_SQL = load("kv")

SERVICE: Service[DatabaseKeyValue, KvAdmin] = Service(
    name="kv",
    make=lambda given: DatabaseKeyValue(given.database, given.writes, given.searches),
    admin=lambda given, _kv: KvAdmin(given.database, given.writes, given.searches),
    host_functions=host_functions,
    local=lambda _given: host_functions(MemoryKeyValue()),
    capabilities=("kv.read", "kv.write"),
    stored=(Stored("kv_entries", _SQL.kv_count_of_app, _SQL.kv_clear_app),),
    quota=StoreQuota("kv", lambda settings: Amount(settings.quota_kv_rows, settings.quota_kv_mb * MIB)),
)
