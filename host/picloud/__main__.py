"""`python -m picloud`: the same as the command `picloud`."""

import sys

from picloud.cli import main

if __name__ == "__main__":
    sys.exit(main())
