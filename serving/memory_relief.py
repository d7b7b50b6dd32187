"""Decides when memory that only larger calls needed should go back to the system."""

import threading


class MemoryRelief:
    """Remembers how large calls were, and says when to give memory back.

    ONNX Runtime's arena keeps what it ever took, which is what makes it fast: one huge call would hold its memory for
    good. Giving back after every large call costs up to 30 % of it, as the next one takes the memory anew. So memory
    goes back once a whole window of calls has passed that needed much less.

    Any number of threads may use one.

    Args:
        window: How many calls are looked at together.
        factor: How much larger the largest call of the past must be than the largest of this window.
        floor: Size up to which nothing is given back. Sizes are positions, batch times time.

    Example:
        >>> relief = MemoryRelief(window=2, floor=100)
        >>> [relief.due(size) for size in (5000, 10, 10, 10, 10, 10)]
        [False, False, False, True, False, False]
    """

    def __init__(self, window: int = 16, factor: int = 4, floor: int = 4096):
        self._window, self._factor, self._floor = window, factor, floor
        self._lock = threading.Lock()
        self._calls = self._largest = self._held = 0

    def due(self, size: int) -> bool:
        """Count a call of `size` positions; True if memory should be given back with it."""
        with self._lock:
            self._calls += 1
            self._largest = max(self._largest, size)
            if self._calls < self._window:
                return False
            due = self._held > max(self._floor, self._factor * self._largest)
            self._held = self._largest if due else max(self._held, self._largest)
            self._calls = self._largest = 0
            return due
