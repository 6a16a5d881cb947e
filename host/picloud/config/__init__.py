"""Settings of a server, read from flags, the environment and a TOML file.

`table.py` has the settings; `picloud config`, the reference page (`docs/configuration.md`) and the
validation at start are made from it.
"""

from picloud.config.load import ConfigError, Configuration, load
from picloud.config.table import TABLE, Setting, Settings

__all__ = ["TABLE", "ConfigError", "Configuration", "Setting", "Settings", "load"]
