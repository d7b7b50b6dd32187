"""What `quantization.py` trains, exports, times and prints. The readers and the clock of the examples are used too."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "examples"))
