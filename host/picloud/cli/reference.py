"""Generates reference pages: configuration, limits, functions, capabilities, metrics."""

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

<!-- Generated from host/picloud/config by `picloud config --reference configuration`; do not edit. -->

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

<!-- Generated from host/picloud/sandbox by `picloud config --reference limits`; do not edit. -->

Every execution has these limits. A script can set its own values in its `sandbox` field, up to the ceiling of
the instance. The operator can change the ceilings. `GET /api/v1/admin/limits` returns the values of an
instance.

| limit | default | ceiling | unit | enforced by | ceiling set by |
|---|---|---|---|---|---|
{rows}

A level of `max_call_levels` is a call of a function, of a closure, or of a function such as `map` that calls
one: a function that calls itself through `map` takes three for each round. A script that has used 99% of a
large `max_fuel` is stopped at its next operation, so that the error has a line.

## Outcomes of an execution

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

<!-- Generated from sdk-bindings/interface.toml by `picloud config --reference functions`; do not edit. -->

The functions that scripts can call in addition to Rhai's own (SDK {interface.sdk}). A function that fails
throws a string that begins with its name. Every example evaluates to true; the tests run all of them.

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
    head = "| capability | allows | lowest role | scope of a key |\n|---|---|---|---|"
    return f"""\
# Capabilities

<!-- Generated from identity/capabilities.py by `picloud config --reference capabilities`; do not edit. -->

A request is allowed if the caller's role has the capability. With an API key, a scope of the key must cover
it too. A key that is bound to an app works only in that app. So a key never has more rights than its user
has at that moment: scopes beyond the user's role have no effect.

Every user has a role in the instance: `owner`, `admin` or `member`. Owners and admins can do everything in
every app. A member needs a role in an app: `viewer`, `editor` or `app_admin`. Each of these includes the
previous one. Members have no access to other apps, and cannot find out whether these exist. Responses about
apps include `my_role` and `my_capabilities`; `GET /api/v1/admin/auth/me` returns the capabilities in the
instance.

## In an app

{head}
{in_apps}

## In the instance

{head}
{in_instance}

Only an owner can make a user an owner, or change, deactivate or delete an owner or set their password. The
last active owner cannot be removed.

## Scopes of API keys

| scope | covers |
|---|---|
{scopes}

A key that is bound to an app cannot have `instance:admin`. A key cannot start or end sessions or change the
password of its user. A key can list, create and revoke only keys with equal or fewer rights: scopes, app and
expiry. A key with `instance:admin` can create users and set passwords: protect it like an owner's password.
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

<!-- Generated from the metrics in host/picloud by `picloud config --reference metrics`; do not edit. -->

`GET /metrics` returns these metrics in the Prometheus text format. They are the sums over the workers of one
node. Counters continue when a worker restarts, and start at zero when the node restarts. All series exist
from the start, except the time of a last run, which appears after the first run. To scrape them, see
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
