"""What a bundle may be called where several are offered by name: on a server, on a page."""

import re

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
"""Nothing that leads out of a folder, and no dot, which comes before a graph's name."""
