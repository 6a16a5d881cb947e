"""Configuration: one table of knobs, read from flags, the environment and a TOML file.

`table.py` has the knobs; `picloud config`, the reference page (`docs/configuration.md`) and the
validation at start all come from it.
"""

from picloud.config.load import ConfigError, Configuration, load
from picloud.config.table import TABLE, Knob, Settings

__all__ = ["TABLE", "ConfigError", "Configuration", "Knob", "Settings", "load"]
