"""The reference page of the configuration, made from the table."""

from __future__ import annotations

from picloud.config.table import TABLE


def reference() -> str:
    """The reference page `docs/configuration.md`, in Markdown."""
    rows = "\n".join(
        f"| `{knob.env}` | {knob.default or '(none)'} | {knob.help} Takes {knob.kind.says}. |"
        for knob in TABLE
    )
    return f"""\
# Configuration

<!-- Made from the table in host/picloud/config/table.py by `picloud config --reference`; do not edit. -->

A command-line flag wins over the environment, the environment over `--config picloud.toml`, the file
over the default. In the file a knob is written in lower case without its prefix (`port = 8123`), the
ceilings of the sandbox in a table (`[sandbox]`, `max_fuel = 5000000000`). `picloud config` prints
every knob with its value and where that comes from. A value that cannot be used stops the start and
says so; a name that is not known is warned about.

| variable | default | |
|---|---|---|
{rows}
"""
