"""So that the tests here can import ``measure``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
