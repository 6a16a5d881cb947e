"""docs: JSON documents by collection, of one app, and the language they are found by."""

from __future__ import annotations

from picloud.db.queries import load
from picloud.sandbox.limits import MIB
from picloud.services.docs.admin import DocsAdmin
from picloud.services.docs.service import DatabaseDocs, host_functions
from picloud.services.quotas import Amount, StoreQuota
from picloud.services.service import Service, Stored

_SQL = load("docs")

SERVICE: Service[DatabaseDocs, DocsAdmin] = Service(
    name="docs",
    make=lambda given: DatabaseDocs(given.database, given.writes, given.searches),
    admin=lambda given, _docs: DocsAdmin(given.database, given.writes, given.searches),
    host_functions=host_functions,
    capabilities=("docs.read", "docs.write"),
    stored=(Stored("docs", _SQL.docs_count_of_app, _SQL.docs_clear_app),),
    quota=StoreQuota("docs", lambda settings: Amount(settings.quota_docs_rows, settings.quota_docs_mb * MIB)),
)
