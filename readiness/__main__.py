"""``python -m readiness``: the same as the ``readiness`` command."""

import sys

from readiness.cli import main

if __name__ == "__main__":
    sys.exit(main())
