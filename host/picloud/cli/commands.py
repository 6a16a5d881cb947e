"""What commands are added to."""

from typing import Any

Commands = Any  # argparse's own class for this is private
