"""What a batch job is made of: a run of rows of one file."""

import hashlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class BatchPart:
    """Rows of one input file that are run and written together.

    Attributes:
        source: The file's path, relative to the folder of inputs, with `/`.
        number: Of the part in its file, from 0.
        first_row: The number of its first row in the file, from 0.
        num_rows: How many rows.
        start: Where its bytes begin; 0 for files of arrays.
        end: Where they end; the file's size for files of arrays.
        digest: SHA-256 of what it is made of: its bytes, or for files of arrays the whole file's and its rows.
    """

    source: str
    number: int
    first_row: int
    num_rows: int
    start: int
    end: int
    digest: str

    @property
    def is_text(self) -> bool:
        """Is a row a line?"""
        return self.source.endswith((".txt", ".jsonl"))

    @property
    def output(self) -> str:
        """Path of what is written of it, relative to the folder of outputs; sorted by name, rows are in order."""
        return f"{self.source}/part-{self.number:06d}.{'jsonl' if self.is_text else 'npz'}"

    def row_name(self, row: int) -> str:
        """A row as messages call it: the file, and the line or row in it.

        Args:
            row: Of the part, from 0.
        """
        number = self.first_row + row
        return f"{self.source}, line {number + 1}" if self.is_text else f"{self.source}, row {number}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return dict(vars(self))


def digest_of(*chunks: bytes) -> str:
    """SHA-256 of bytes, one after the other."""
    sha = hashlib.sha256()
    for chunk in chunks:
        sha.update(chunk)
    return sha.hexdigest()
