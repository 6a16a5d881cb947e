"""files: the files of an app. Rows are in the database, bytes in a store."""

from __future__ import annotations

from picloud.db.queries import load
from picloud.sandbox.limits import MIB
from picloud.services.files.admin import FilesAdmin
from picloud.services.files.folder import FolderStore, files_folder
from picloud.services.files.service import Files, host_functions
from picloud.services.quotas import Amount, StoreQuota
from picloud.services.service import Dependencies, Service, Stored

_SQL = load("files")


def _make(given: Dependencies) -> Files:
    store = FolderStore(files_folder(given.settings))
    given.closing.callback(store.close)
    files = Files(given.database, store, given.writes)
    given.closing.push_async_callback(files.close)
    return files


SERVICE: Service[Files, FilesAdmin] = Service(
    name="files",
    make=_make,
    admin=lambda given, files: FilesAdmin(given.database, files, given.searches),
    host_functions=host_functions,
    capabilities=("files.read", "files.write"),
    stored=(Stored("files", _SQL.files_count_of_app, _SQL.files_clear_app),),
    quota=StoreQuota(
        "files", lambda settings: Amount(settings.quota_files_rows, settings.quota_files_mb * MIB)
    ),
    app_deleted=Files.remove_app,  # the sweep removes the rest
)
