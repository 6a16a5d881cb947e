from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from picloud.config import TABLE, ConfigError, Configuration, Settings, load
from picloud.config.client import CLIENT_VARIABLES
from picloud.sandbox.limits import PER_SCRIPT

PROMISES: dict[str, Any] = json.loads((Path(__file__).parent / "promises.json").read_text())
"""Setting -> its variable, its default as documented, texts it accepts with how they are shown, and texts it
rejects. Operators rely on all of it: an entry here changes only with a line in CHANGELOG.md."""


def _file(folder: Path, text: str) -> Path:
    file = folder / "server.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_without_anything_every_value_is_its_default() -> None:
    configuration = load(environment={})
    assert configuration.settings.port == 8123
    assert configuration.settings.ceilings["max_fuel"] == 50_000_000_000
    assert set(configuration.sources.values()) == {"default"}
    assert set(configuration.sources) == {setting.name for setting in TABLE}


def test_every_setting_keeps_its_variable_and_its_default() -> None:
    assert {setting.name: (setting.env, setting.default) for setting in TABLE} == {
        name: (promise["variable"], promise["default"]) for name, promise in PROMISES.items()
    }, "tests/unit/config/promises.json needs an entry for every setting"


@pytest.mark.parametrize("name", PROMISES)
@pytest.mark.parametrize("source", ["flag", "environment", "file"])
def test_a_setting_accepts_the_same_values_from_every_source(name: str, source: str, tmp_path: Path) -> None:
    setting = next(one for one in TABLE if one.name == name)
    other = {"bootstrap_username": "bootstrap_password", "bootstrap_password": "bootstrap_username"}.get(name)
    pair = {f"PICLOUD_{other.upper()}": "the other of the pair"} if other else {}

    def read(text: str) -> Configuration:
        if source == "flag":
            return load({name: text}, None, pair)
        if source == "environment":
            return load(None, None, {setting.env: text, **pair})
        return load(None, _file(tmp_path, f"{name} = {json.dumps(text)}\n"), pair)

    place = {
        "flag": f"--{name.replace('_', '-')}",
        "environment": setting.env,
        "file": f"{name} in {tmp_path / 'server.toml'}",
    }[source]
    for text, shown in PROMISES[name]["accepts"].items():
        configuration = read(text)
        assert configuration.shown(setting) == shown.replace("~", str(Path.home()))
        assert configuration.sources[name] == source
    for text in PROMISES[name]["rejects"]:
        with pytest.raises(ConfigError) as caught:
            read(text)
        (line,) = caught.value.lines
        assert line.startswith(f"{place} is ")
        assert line.endswith(f"not {setting.kind.accepts}")
        assert setting.secret is (repr(text) not in line)


def test_numbers_of_a_file_need_no_quotes(tmp_path: Path) -> None:
    file = _file(tmp_path, "port = 1\nkeep_alive_seconds = 0.5\napp_share = 4\nhttp_allow_private = true\n")
    settings = load(None, file, {}).settings
    values = (settings.port, settings.keep_alive_seconds, settings.app_share, settings.http_allow_private)
    assert values == (1, 0.5, 4, True)


@pytest.mark.parametrize("value", ["[1]", "{ a = 1 }", "1979-05-27", "true"])
def test_a_value_of_another_type_is_one_line(value: str, tmp_path: Path) -> None:
    file = _file(tmp_path, f"port = {value}\n")
    with pytest.raises(ConfigError) as caught:
        load(None, file, {})
    (line,) = caught.value.lines
    assert line.startswith(f"port in {file} ")


def test_settings_cannot_be_changed() -> None:
    settings = load(environment={}).settings
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        settings.ceilings["max_fuel"] = 1  # type: ignore[index]


def test_every_limit_that_a_script_can_override_has_a_ceiling_to_set() -> None:
    ceilings = {name for name in Settings.model_fields if name.startswith("sandbox_")}
    assert ceilings == {f"sandbox_{name}" for name in PER_SCRIPT}


def test_a_byte_order_mark_of_a_file_is_skipped(tmp_path: Path) -> None:
    file = tmp_path / "server.toml"
    file.write_text("\ufeffport = 1001\n", "utf-8")
    assert load(None, file, {}).settings.port == 1001


def test_the_old_name_of_the_file_is_read_with_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "picloud.toml"
    file.write_text("port = 1001\n")
    configuration = load(None, file, {})
    assert configuration.settings.port == 1001
    (warning,) = configuration.warnings
    assert str(file) in warning
    assert "server.toml" in warning
    assert load(None, file.rename(tmp_path / "server.toml"), {}).warnings == ()


def test_a_flag_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = _file(tmp_path, 'port = 1001\nhost = "::1"\nworkers = 3\n')
    environment = {"PICLOUD_PORT": "1002", "PICLOUD_HOST": "0.0.0.0"}
    configuration = load({"port": "1003", "host": None}, file, environment)
    assert (configuration.settings.port, configuration.sources["port"]) == (1003, "flag")
    assert (configuration.settings.host, configuration.sources["host"]) == ("0.0.0.0", "environment")
    assert (configuration.settings.workers, configuration.sources["workers"]) == (3, "file")


def test_a_ceiling_is_set_by_its_variable_or_in_the_sandbox_table(tmp_path: Path) -> None:
    file = _file(tmp_path, "[sandbox]\nmax_fuel = 7\nmemory_limit_mb = 64\n")
    ceilings = load(None, file, {"PICLOUD_SANDBOX_MAX_FUEL": "9"}).settings.ceilings
    assert (ceilings["max_fuel"], ceilings["memory_limit_mb"]) == (9, 64)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PICLOUD_PORT", "eighty"),
        ("PICLOUD_PORT", "65536"),
        ("PICLOUD_PORT", "-1"),
        ("PICLOUD_WORKERS", "0"),
        ("PICLOUD_APP_SHARE", "0"),
        ("PICLOUD_ADMIN_HOST", "*.example.com"),
        ("PICLOUD_ADMIN_HOST", "any"),
        ("PICLOUD_ADMIN_HOST", "cloud.example.com:443"),
        ("PICLOUD_ADMIN_HOST", "https://cloud.example.com"),
        ("PICLOUD_HTTP_ALLOW_PRIVATE", "enabled"),
        ("PICLOUD_HTTP_ALLOW_PRIVATE", "2"),
        ("PICLOUD_HTTP_DENY", "10.0.0.1/8"),
        ("PICLOUD_HTTP_DENY_PORTS", "0"),
        ("PICLOUD_HTTP_DENY_PORTS", "65536"),
        ("PICLOUD_HTTP_DENY_PORTS", "9-8"),
        ("PICLOUD_HTTP_DENY_PORTS", "1-"),
        ("PICLOUD_HTTP_DENY_PORTS", "-1"),
        ("PICLOUD_HTTP_DENY_PORTS", "1-2-3"),
        ("PICLOUD_HTTP_DNS", "dns.example"),
        ("PICLOUD_HTTP_DNS", "127.0.0.1:0"),
        ("PICLOUD_HTTP_DNS", "127.0.0.1:99999"),
        ("PICLOUD_HTTP_DNS", "[::1"),
        ("PICLOUD_HTTP_DNS", "fe80::1%lo"),
        ("PICLOUD_APP_SHARE", "1.5"),
        ("PICLOUD_APP_SHARE", "150%"),
        ("PICLOUD_APP_SHARE", "nan"),
        ("PICLOUD_SESSION_TTL_HOURS", "inf"),
        ("PICLOUD_SESSION_TTL_HOURS", "nan"),
        ("PICLOUD_LOG_FORMAT", "xml"),
        ("PICLOUD_DATABASE_URL", "mysql://localhost/x"),
        ("PICLOUD_SANDBOX_MEMORY_LIMIT_MB", "5000"),
        ("PICLOUD_SANDBOX_MAX_FUEL", "0"),
        ("PICLOUD_TRUSTED_PROXIES", "proxy.test"),
        ("PICLOUD_TRUSTED_PROXIES", "10.0.0.1/8"),
    ],
)
def test_an_invalid_value_is_rejected_by_name(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(environment={name: value})
    assert len(caught.value.lines) == 1
    assert caught.value.lines[0].startswith(f"{name} is")


def test_all_errors_are_reported_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        load(environment={"PICLOUD_PORT": "x", "PICLOUD_WORKERS": "x"})
    assert [line.partition(" ")[0] for line in caught.value.lines] == ["PICLOUD_PORT", "PICLOUD_WORKERS"]


def test_an_error_does_not_repeat_a_secret() -> None:
    with pytest.raises(ConfigError) as caught:
        load(environment={"PICLOUD_DATABASE_URL": "mysql://me:hunter2@localhost/x"})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["cloud.example.com", "Cloud.Example.COM."])
def test_the_admin_host_is_normalized(text: str) -> None:
    assert load(environment={"PICLOUD_ADMIN_HOST": text}).settings.admin_host == "cloud.example.com"


@pytest.mark.parametrize("name", ["PICLOUD_BOOTSTRAP_USERNAME", "PICLOUD_BOOTSTRAP_PASSWORD"])
def test_half_of_the_bootstrap_pair_is_rejected(name: str) -> None:
    with pytest.raises(ConfigError, match=r"BOOTSTRAP_USERNAME.*BOOTSTRAP_PASSWORD"):
        load(environment={name: "something long"})


@pytest.mark.parametrize(
    ("text", "slots"),
    [("0.5", 50), ("50%", 50), ("1.0", 100), ("1", 1), ("16", 16), ("400", 100), ("0.001", 1)],
)
def test_the_share_of_an_app_is_a_fraction_or_a_number(text: str, slots: int) -> None:
    environment = {"PICLOUD_APP_SHARE": text, "PICLOUD_MAX_CONCURRENT_EXECUTIONS": "100"}
    assert load(environment=environment).settings.app_slots == slots


def test_an_unknown_name_is_reported_with_the_nearest_known_one(tmp_path: Path) -> None:
    file = _file(tmp_path, "prot = 1\n[sandbox]\nfoo = 1\n")
    configuration = load(None, file, {"PICLOUD_WORKRES": "3", "HOME": "/", "PATH": "/bin"})
    of_key, of_limit, of_variable = configuration.warnings
    assert str(file) in of_key
    assert (" prot " in of_key, of_key.endswith(" port?")) == (True, True)
    assert " sandbox_foo " in of_limit
    assert (" PICLOUD_WORKRES " in of_variable, of_variable.endswith(" PICLOUD_WORKERS?")) == (True, True)


def test_an_empty_variable_counts_as_not_set() -> None:
    configuration = load(environment={"PICLOUD_DATABASE_URL": "", "PICLOUD_PORT": ""})
    assert configuration.settings.database_url is None
    assert configuration.settings.port == 8123


@pytest.mark.parametrize("text", ["port =", "\xff"])
def test_an_invalid_toml_file_is_rejected(tmp_path: Path, text: str) -> None:
    file = tmp_path / "server.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match="TOML"):
        load(None, file, {})


def test_a_missing_file_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml"):
        load(None, tmp_path / "none.toml", {})


def test_secrets_are_never_shown() -> None:
    environment = {
        "PICLOUD_DATABASE_URL": "postgresql://me:hunter2@db:5432/x?password=hunter2",
        "PICLOUD_BOOTSTRAP_USERNAME": "root",
        "PICLOUD_BOOTSTRAP_PASSWORD": "hunter2hunter2",
    }
    configuration = load(environment=environment)
    shown = {setting.name: configuration.shown(setting) for setting in TABLE}
    assert "hunter2" not in "".join(shown.values())
    assert shown["database_url"] == "postgresql://...@db:5432/x"
    assert "hunter2" not in repr(configuration)
    with pytest.raises(ValidationError) as caught:
        Settings(bootstrap_password="hunter2hunter2")
    assert "hunter2" not in str(caught.value)


def test_networks_are_parsed_and_shown() -> None:
    configuration = load(environment={"PICLOUD_TRUSTED_PROXIES": " 127.0.0.1,10.1.0.0/16, ::1 ,"})
    setting = next(setting for setting in TABLE if setting.name == "trusted_proxies")
    assert [str(one) for one in configuration.settings.trusted_proxies] == [
        "127.0.0.1/32",
        "10.1.0.0/16",
        "::1/128",
    ]
    assert configuration.shown(setting) == "127.0.0.1/32, 10.1.0.0/16, ::1/128"


def test_ports_and_name_servers_are_parsed_and_shown() -> None:
    environment = {
        "PICLOUD_HTTP_DENY_PORTS": " 5432,6665-6669 ,",
        "PICLOUD_HTTP_DNS": "10.0.0.53, 127.0.0.1:5353,::1, [fd00::53]:54",
    }
    configuration = load(environment=environment)
    shown = {setting.name: configuration.shown(setting) for setting in TABLE}
    assert shown["http_deny_ports"] == "5432, 6665-6669"
    assert [list(ports) for ports in configuration.settings.http_deny_ports] == [
        [5432],
        [6665, 6666, 6667, 6668, 6669],
    ]
    assert shown["http_dns"] == "10.0.0.53:53, 127.0.0.1:5353, [::1]:53, [fd00::53]:54"


def test_ports_of_databases_are_denied_by_default() -> None:
    denied = {port for ports in load(environment={}).settings.http_deny_ports for port in ports}
    assert {1433, 3306, 5432, 6379, 9200, 11211, 27017, 2375, 2379, 6443, 10250} <= denied
    assert not {80, 443, 3000, 8000, 8080, 8123, 8443, 9000} & denied


def test_variables_of_the_client_commands_are_known() -> None:
    assert load(environment=dict.fromkeys(CLIENT_VARIABLES, "x")).warnings == ()
