"""`python -m mnist_dash`: the command line."""

from __future__ import annotations

import sys

from mnist_dash.cli import main

if __name__ == "__main__":
    sys.exit(main())
