"""The type of argparse's command list."""

from typing import Any

Commands = Any  # argparse's own class for this is private
