"""Exit the interpreter."""

import sys

sys.exit(0)
