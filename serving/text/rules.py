"""What counts as white space, as punctuation, and as the small letter of another: ranges of code points.

They stand in `tokenizer.json`, so that no runtime's own version of Unicode has a say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keras_seq.serving.fields import Fields

LAST = 0x10FFFF

Range = tuple[int, int]
LowerRange = tuple[int, int, int, int]


@dataclass(frozen=True)
class Rules:
    """The rules of one tokenizer; what it does not need may be empty.

    Attributes:
        whitespace: Ranges `(first, last)`, both inclusive, of what separates words.
        punctuation: Likewise, of what is a token by itself.
        lower: `(first, last, step, delta)`: every `step`-th code point from `first` to `last` becomes the one `delta`
            further.
    """

    whitespace: tuple[Range, ...] = ()
    punctuation: tuple[Range, ...] = ()
    lower: tuple[LowerRange, ...] = ()

    @classmethod
    def from_fields(cls, fields: Fields, needed: Sequence[str]) -> "Rules":
        """Read the field `rules` of a tokenizer's file.

        Args:
            fields: The file's.
            needed: Which of the rules must be there; the others are not looked at.

        Raises:
            BundleError: If one is missing or no list of ranges.
        """
        if not needed:
            return cls()
        rules = Fields(fields.get("rules", dict), fields.path("rules"), fields.file)
        return cls(**{name: _read_ranges(rules, name) for name in needed})

    def lower_table(self) -> dict[int, int]:
        """What `str.translate` takes: code point to that of the small letter.

        >>> Rules(lower=((65, 90, 1, 32),)).lower_table()[ord("Q")] == ord("q")
        True
        """
        return {code: code + delta for first, last, step, delta in self.lower for code in range(first, last + 1, step)}


def _read_ranges(rules: Fields, name: str) -> tuple[tuple[int, ...], ...]:
    size = 4 if name == "lower" else 2
    ranges = rules.get(name, list)
    if not ranges and name != "lower":
        rules.refuse(name, "a list of at least one range", ranges)
    for i, entry in enumerate(ranges):
        if not _is_range(entry, size):
            what = "[first, last, step, delta]" if size == 4 else "[first, last]"
            rules.refuse(f"{name}[{i}]", f"a range of code points {what} from 0 to {LAST}", entry)
    return tuple(tuple(entry) for entry in ranges)


def _is_range(entry: Any, size: int) -> bool:
    if not isinstance(entry, list) or len(entry) != size or not all(type(number) is int for number in entry):
        return False
    first, last = entry[:2]
    step, delta = entry[2:] or (1, 0)
    return 0 <= first <= last <= LAST and step >= 1 and first + delta >= 0 and last + delta <= LAST
