"""How fast mlq is, measured in the same run as its peers: `make bench`."""

import sys
from pathlib import Path

# The hosts of `gateway` are those of the tests.
sys.path.append(str(Path(__file__).parents[1] / "tests" / "support"))
