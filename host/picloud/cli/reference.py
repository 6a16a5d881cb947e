"""The reference pages that are made from tables: configuration, limits, functions, capabilities, metrics."""

from __future__ import annotations

from picloud.config.client import CLIENT_VARIABLES
from picloud.config.table import TABLE
from picloud.core.interface import Interface
from picloud.identity.capabilities import CAPABILITIES, SCOPES
from picloud.sandbox.limits import LIMIT_SPECS
from picloud.sandbox.outcome import STATUS


def configuration() -> str:
    """The reference page `docs/configuration.md`, in Markdown."""
    rows = "\n".join(
        f"| `{setting.env}` | {setting.default or '(none)'} | {setting.help} Takes {setting.kind.accepts}. |"
        for setting in TABLE
    )
    of_client = "\n".join(f"| `{name}` | {text} |" for name, text in CLIENT_VARIABLES.items())
    return f"""\
# Configuration

<!-- Made from host/picloud/config/table.py by `picloud config --reference configuration`; do not edit. -->

The server reads each setting from, in this order: a command-line flag, an environment variable, the file
named by `--config server.toml`, the default. In the file, write a setting in lower case without its prefix
(`port = 8123`), and the ceilings of the sandbox in a table (`[sandbox]`, `max_fuel = 5000000000`).
`picloud config` prints every setting with its value and source.

An invalid value stops the start with one line per mistake. An unknown name is a warning. A file named
`picloud.toml`, its former name, is still read, with a warning to rename it to `server.toml`: `picloud.toml`
is the [project file of an app](cli.md#deploy-an-app-from-a-folder).

| variable | default | |
|---|---|---|
{rows}

## Commands that talk to a server

Commands such as `picloud apps`, `push` and `logs` read these variables; a server ignores them.

| variable | |
|---|---|
{of_client}
"""


def limits() -> str:
    """The reference page `docs/limits.md`, in Markdown."""
    rows = "\n".join(
        f"| {limit.name} | {limit.default:,} | {limit.ceiling:,} | {limit.unit} | {limit.enforced_by} "
        f"| {f'`{limit.env}`' if limit.env else 'fixed'} |"
        for limit in LIMIT_SPECS
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
    interface = Interface.load()
    handles = {function.namespace for function in interface.functions if function.name == "collection"}
    sections: dict[str, list[str]] = {}
    for function in interface.functions:
        method = function.namespace in handles and function.name != "collection"
        prefix = "collection." if method else f"{function.namespace}::"
        entry = f"### `{prefix}{function.signature}`\n\n{function.doc}\n\n"
        entry += f"```rhai\n{function.example}\n```\n"
        sections.setdefault(function.namespace, []).append(entry)
    body = "\n".join(f"## {name}\n\n" + "\n".join(entries) for name, entries in sections.items())
    return f"""\
# Functions

<!-- Made from sdk-bindings/interface.toml by `picloud config --reference functions`; do not edit. -->

What a script can call besides the language itself (SDK {interface.sdk}). A function that fails throws a
string that begins with its name. Every example is true; the tests evaluate each.

{body}"""


def capabilities() -> str:
    """The reference page `docs/capabilities.md`, in Markdown."""
    in_apps, in_instance = (
        "\n".join(
            f"| `{one.name}` | {one.about} | {one.least_role} | `{one.scope}` |"
            for one in CAPABILITIES
            if one.level == level
        )
        for level in ("app", "instance")
    )
    scopes = "\n".join(
        f"| `{scope}` | {', '.join(f'`{one.name}`' for one in CAPABILITIES if one.scope == scope)} |"
        for scope in SCOPES
    )
    head = "| capability | lets one | least role | scope a key needs |\n|---|---|---|---|"
    return f"""\
# Who may do what

<!-- Made from identity/capabilities.py by `picloud config --reference capabilities`; do not edit. -->

A call is allowed when the caller's role grants the capability, **and**, for an API key, a scope of the
key covers it, **and**, for a key that is bound to an app, it is about that app. So a key never does more
than its user may at that moment: scopes beyond the user's role grant nothing.

Every user has a role in the instance: `owner`, `admin` or `member`. Owners and admins may do everything in
every app. Members may do what their role in an app grants, one of `viewer`, `editor` and `app_admin`, each
with all that the one before it has; in other apps nothing, and they cannot tell an app of others from one
that does not exist. App answers carry `my_role` and `my_capabilities`, `GET /api/v1/admin/auth/me` the
capabilities in the instance.

## In an app

{head}
{in_apps}

## In the instance

{head}
{in_instance}

Only an owner makes someone an owner, and only an owner changes, deactivates or deletes an owner or gives
them a new password. The last active owner stays one.

## Scopes of API keys

| scope | covers |
|---|---|
{scopes}

A key that is bound to an app cannot have `instance:admin`. No key opens or ends sessions or changes its
user's password, and a key sees and manages only keys whose scopes, app and end are within its own. But
who has a key with `instance:admin` can make users and give them passwords: guard it like an owner's own.
"""


def metrics() -> str:
    """The reference page `docs/metrics.md`, in Markdown."""
    from picloud.server.metrics import FAMILIES  # the whole server: only for this page

    rows = "\n".join(
        f"| `{family.name}` | {family.kind} | {', '.join(f'`{label}`' for label in family.labels)} "
        f"| {family.help} |"
        for family in FAMILIES
    )
    labels = {label: values for family in FAMILIES for label, values in family.labels.items()}
    values = "\n".join(
        f"| `{label}` | {', '.join(f'`{value}`' for value in known)} |" for label, known in labels.items()
    )
    return f"""\
# Metrics

<!-- Made from the families in host/picloud by `picloud config --reference metrics`; do not edit. -->

`GET /metrics` answers with these, in Prometheus' text format. They are of one node: its workers are added up.
Counters go on when a worker is started again, and begin at zero when the node is. Every series is there from
the start, but the time of a last run only after the first. How to scrape them:
[Monitor PiCloud](operate.md#monitor-picloud).

| metric | type | labels | |
|---|---|---|---|
{rows}

## Labels

| label | values |
|---|---|
{values}
"""


PAGES = {
    "configuration": configuration,
    "limits": limits,
    "functions": functions,
    "capabilities": capabilities,
    "metrics": metrics,
}
