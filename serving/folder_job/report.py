"""What a batch job did."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class BatchReport:
    """What `run_batch` did.

    Attributes:
        output: The folder of the outputs.
        files: Number of input files.
        parts: Number of parts, each of which is a file now.
        rows: Number of rows in them.
        done_before: Parts that were there already, from an earlier run, and were left as they are.
        removed: Parts of an earlier run that belong to no input any more, and were removed.
        seconds: Time of the run.

    Example:
        >>> print(BatchReport(Path("out"), files=2, parts=5, rows=997, done_before=3, removed=0, seconds=1.5))
        out: 997 rows of 2 files in 5 parts, 3 of them done before, in 1.5 s
    """

    output: Path
    files: int
    parts: int
    rows: int
    done_before: int
    removed: int
    seconds: float

    def __str__(self) -> str:
        before = f", {self.done_before} of them done before" if self.done_before else ""
        removed = f", {self.removed} old parts removed" if self.removed else ""
        return (
            f"{self.output}: {self.rows} rows of {self.files} files in {self.parts} parts{before}{removed}, "
            f"in {self.seconds:.1f} s"
        )
