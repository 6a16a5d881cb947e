"""The reference pages that are made from tables: the configuration, the limits, the functions of scripts."""

from __future__ import annotations

import tomllib

from picloud.config.client import CLIENT_VARIABLES
from picloud.config.table import TABLE
from picloud.sandbox.abi import INTERFACE_FILE
from picloud.sandbox.limits import KNOBS
from picloud.sandbox.outcome import STATUS


def configuration() -> str:
    """The reference page `docs/configuration.md`, in Markdown."""
    rows = "\n".join(
        f"| `{knob.env}` | {knob.default or '(none)'} | {knob.help} Takes {knob.kind.says}. |"
        for knob in TABLE
    )
    of_client = "\n".join(f"| `{name}` | {text} |" for name, text in CLIENT_VARIABLES.items())
    return f"""\
# Configuration

<!-- Made from host/picloud/config/table.py by `picloud config --reference configuration`; do not edit. -->

A command-line flag wins over the environment, the environment over `--config picloud.toml`, the file
over the default. In the file a knob is written in lower case without its prefix (`port = 8123`), the
ceilings of the sandbox in a table (`[sandbox]`, `max_fuel = 5000000000`). `picloud config` prints
every knob with its value and where that comes from. A value that cannot be used stops the start and
says so; a name that is not known is warned about.

| variable | default | |
|---|---|---|
{rows}

## Commands that talk to a server

These are read by `picloud apps`, `push`, `logs` and their like; a server takes no notice of them.

| variable | |
|---|---|
{of_client}
"""


def limits() -> str:
    """The reference page `docs/limits.md`, in Markdown."""
    rows = "\n".join(
        f"| {limit.name} | {limit.default:,} | {limit.ceiling:,} | {limit.unit} | {limit.enforced_by} "
        f"| {f'`{limit.env}`' if limit.env else 'fixed'} |"
        for limit in KNOBS
    )
    codes = "\n".join(f"| `{code}` | {status} |" for code, status in STATUS.items())
    return f"""\
# Limits

<!-- Made from the tables of host/picloud/sandbox by `picloud config --reference limits`; do not edit. -->

Every execution has these limits. A script may ask for more or less in its `sandbox` field, up to the
ceiling of the instance, which the operator can move. `GET /api/v1/admin/limits` shows the values of
an instance.

| limit | default | ceiling | unit | held by | ceiling moved by |
|---|---|---|---|---|---|
{rows}

## How an execution can end

| outcome | HTTP status |
|---|---|
| `ok` | the script's |
{codes}
"""


def functions() -> str:
    """The reference page `docs/functions.md`, in Markdown."""
    interface = tomllib.loads(INTERFACE_FILE.read_text())
    handles = {entry["namespace"] for entry in interface["function"] if entry["name"] == "collection"}
    sections: dict[str, list[str]] = {}
    for function in interface["function"]:
        method = function["namespace"] in handles and function["name"] != "collection"
        prefix = "collection." if method else f"{function['namespace']}::"
        entry = f"### `{prefix}{function['signature']}`\n\n{function['doc']}\n\n"
        entry += f"```rhai\n{function['example']}\n```\n"
        sections.setdefault(function["namespace"], []).append(entry)
    body = "\n".join(f"## {name}\n\n" + "\n".join(entries) for name, entries in sections.items())
    return f"""\
# Functions

<!-- Made from sdk-bindings/interface.toml by `picloud config --reference functions`; do not edit. -->

What a script can call besides the language itself (SDK {interface["sdk"]}). A function that fails throws a
string that begins with its name. Every example is true; the tests evaluate each.

{body}"""


PAGES = {"configuration": configuration, "limits": limits, "functions": functions}
