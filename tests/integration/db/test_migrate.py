"""Migrations against real databases."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from picloud.db.migrate import current_version, latest_version, migrate, migrations_folder, read_migrations
from picloud.db.parameters import ConnectionParameters
from picloud.db.pool import Database
from picloud.db.unusable import DatabaseUnusable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two migrations that work."""
    (tmp_path / "0001_one.sql").write_text("CREATE TABLE one (n int);\nINSERT INTO one VALUES (1);")
    (tmp_path / "0002_two.sql").write_text("CREATE TABLE two (n int);")
    return tmp_path


async def tables(parameters: ConnectionParameters) -> list[str]:
    database = await Database.open(parameters, 1)
    rows = await database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    await database.close()
    return [row[0] for row in rows]


async def test_an_empty_database_gets_the_current_schema_and_a_second_run_does_nothing(
    empty_database: ConnectionParameters,
) -> None:
    assert await current_version(empty_database) == 0
    assert await migrate(empty_database) == [migration.name for migration in read_migrations()]
    assert await current_version(empty_database) == latest_version() > 0
    assert await migrate(empty_database) == []


async def test_only_what_is_new_is_applied(empty_database: ConnectionParameters, folder: Path) -> None:
    await migrate(empty_database, folder)
    (folder / "0003_three.sql").write_text("CREATE TABLE three (n int);")
    assert await migrate(empty_database, folder) == ["0003_three.sql"]
    assert await tables(empty_database) == ["one", "schema_migrations", "three", "two"]


async def test_a_failing_migration_is_named_with_its_line_and_leaves_the_version_where_it_was(
    empty_database: ConnectionParameters, folder: Path
) -> None:
    (folder / "0002_two.sql").write_text("CREATE TABLE two (n int);\n\nINSERT INTO nowhere VALUES (1);")
    with pytest.raises(DatabaseUnusable, match=r"0002_two\.sql:3.*nowhere"):
        await migrate(empty_database, folder)
    assert await current_version(empty_database) == 1
    assert await tables(empty_database) == ["one", "schema_migrations"]
    (folder / "0002_two.sql").write_text("CREATE TABLE two (n int);")
    assert await migrate(empty_database, folder) == ["0002_two.sql"]


async def test_an_applied_file_that_changed_is_rejected(
    empty_database: ConnectionParameters, folder: Path
) -> None:
    await migrate(empty_database, folder)
    (folder / "0001_one.sql").write_text("CREATE TABLE one (n bigint);")
    with pytest.raises(DatabaseUnusable, match=r"0001_one\.sql"):
        await migrate(empty_database, folder)


async def test_a_schema_newer_than_the_code_is_rejected(
    empty_database: ConnectionParameters, folder: Path
) -> None:
    await migrate(empty_database, folder)
    (folder / "0002_two.sql").unlink()
    with pytest.raises(DatabaseUnusable, match=r"version 2.* 1"):
        await migrate(empty_database, folder)


@pytest.mark.parametrize("name", ["0004_four.sql", "0002_too.sql", "3_three.sql", "0003-three.sql"])
def test_a_gap_a_duplicate_and_an_invalid_name_are_rejected(folder: Path, name: str) -> None:
    (folder / name).write_text("SELECT 1;")
    with pytest.raises(DatabaseUnusable, match="0002_two.sql .*0003" if "too" in name else name):
        read_migrations(folder)


async def test_nodes_that_start_together_take_turns(
    empty_database: ConnectionParameters, folder: Path
) -> None:
    applied = await asyncio.gather(*(migrate(empty_database, folder) for _ in range(5)))
    assert sorted(name for names in applied for name in names) == ["0001_one.sql", "0002_two.sql"]


def test_the_migrations_of_a_checkout_and_of_an_installed_package_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (migrations_folder() / "0001_foundation.sql").is_file()
    package = tmp_path / "picloud"
    (package / "migrations").mkdir(parents=True)
    monkeypatch.setattr("picloud.db.migrate.__file__", str(package / "db" / "migrate.py"))
    assert migrations_folder() == package / "migrations"
    (package / "migrations").rmdir()
    with pytest.raises(DatabaseUnusable, match=str(package)):
        migrations_folder()
