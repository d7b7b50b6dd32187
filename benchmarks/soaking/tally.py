"""What came of a soak."""

from collections import Counter
from dataclasses import dataclass, field

_KEPT = 20  # descriptions of what went wrong; the numbers go on


@dataclass
class Tally:
    """Counts of a soak, by kind of visit.

    Attributes:
        right: Answers that are the right ones; for what must be refused, refusals.
        sent_away: Requests refused because of load or of a model that was being replaced: 429, 503, 504, and 404 of a
            model that is unloaded now and then.
        aborted: Visits whose client left on purpose.
        wrong: Answers that are not the right ones.
        lost: Requests sent whole that were never answered.
        faults: What was wrong or lost, in words; the first ones.
        samples: Seconds since the start, and megabytes resident in the server.
    """

    right: Counter[str] = field(default_factory=Counter)
    sent_away: Counter[str] = field(default_factory=Counter)
    aborted: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    lost: int = 0
    faults: list[str] = field(default_factory=list)
    samples: list[tuple[float, float]] = field(default_factory=list)

    def note_wrong(self, what: str):
        """Count a wrong answer."""
        self.wrong += 1
        self._keep(f"wrong: {what}")

    def note_lost(self, what: str):
        """Count a request without an answer."""
        self.lost += 1
        self._keep(f"lost: {what}")

    def _keep(self, fault: str):
        if len(self.faults) < _KEPT:
            self.faults.append(fault[:500])

    @property
    def requests(self) -> int:
        """All that were answered or given up."""
        counted = sum(counter.total() for counter in (self.right, self.sent_away, self.aborted))
        return counted + self.wrong + self.lost

    def growth(self) -> float | None:
        """How much memory grew after the warm-up: the last fifth of the time against the second; None without samples.

        Example:
            >>> Tally(samples=[(second, 100.0 + 0.1 * second) for second in range(100)]).growth()
            0.07...
        """
        count = len(self.samples)
        if count < 10:
            return None
        sizes = [megabytes for _, megabytes in self.samples]
        early, late = sizes[count // 5 : 2 * count // 5], sizes[-(count // 5) :]
        return (sum(late) / len(late)) / (sum(early) / len(early)) - 1
