"""Words into the ids of their lower-cased forms, without an operator that lower-cases.

ONNX Runtime has one, `StringNormalizer`, but it needs a locale by name, which is there on one machine and not on the
next, and what it lower-cases hangs on that locale. Here the letters are looked up instead, capitals and small letters
giving one code, and a `LetterTree` is walked with the codes.
"""

from __future__ import annotations

from keras_seq.export.text.code_points import lower_table
from keras_seq.export.text.letter_tree import LetterTree, letter_tree
from keras_seq.export.text.lookup import NUM_SPECIAL, UNKNOWN_ID
from keras_seq.export.text.nodes import Nodes

__all__ = ["MOST_LETTERS", "lowered_ids"]

MOST_LETTERS = 1000
"""Of a word of the vocabulary: RE2, which tells how long words are, repeats no expression more often."""


def lowered_ids(nodes: Nodes, tokens: str, tokenizer: dict) -> str:
    """Words, "" at padding, into the int64 ids of their lower-cased forms, 0 at padding.

    Args:
        nodes: Takes the nodes.
        tokens: Name of the words, of any shape.
        tokenizer: What the `tokenizer.json` of a word tokenizer says.
    """
    lower = {chr(point): chr(small) for point, small in lower_table(tokenizer["rules"]["lower"]).items()}
    tree = letter_tree(_spelled(tokenizer["vocabulary"], lower), UNKNOWN_ID)
    # Each different word once: padding and repetitions cost nothing, nor does one long text among short ones.
    words, _, places, _ = nodes.add_many("Unique", tokens, outputs=[None, None, None, None], sorted=0)
    words = nodes.add("Concat", words, nodes.constant([""]), axis=0)  # `Tokenizer` gives no second axis to no strings
    fits = nodes.add("RegexFullMatch", words, pattern=f"(?s).{{0,{tree.longest}}}")
    table = _codes(tree, lower)
    words = nodes.add("Where", fits, words, nodes.constant(_stranger(table)))  # a long word would be a wide array
    letters = nodes.tokenizer(words, separators=[""])  # (words, letters)
    codes = nodes.lookup(letters, table, tree.stranger)
    ids = nodes.add("Gather", nodes.constant(tree.ids, "int64"), _walk(nodes, codes, tree))
    shape = nodes.add("Shape", tokens)
    return nodes.add("Reshape", nodes.add("Gather", ids, places), shape, allowzero=1)


def _spelled(vocabulary: list[str], lower: dict[str, str]) -> dict[str, int]:
    """What a lower-cased text can hold of the vocabulary, and the padding."""
    words = {word: NUM_SPECIAL + i for i, word in enumerate(vocabulary[NUM_SPECIAL:])}
    return {"": 0} | {word: index for word, index in words.items() if not set(word) & set(lower)}


def _codes(tree: LetterTree, lower: dict[str, str]) -> dict[str, int]:
    codes = {"": 0, **tree.codes}
    return codes | {capital: codes[letter] for capital, letter in lower.items() if letter in codes}


def _stranger(table: dict[str, int]) -> str:
    """A letter of no word."""
    return next(letter for letter in map(chr, range(1, 0xD800)) if letter not in table)


def _walk(nodes: Nodes, codes: str, tree: LetterTree) -> str:
    """The node that each row of codes `(words, letters)` leads to."""
    powers = [[0] * len(tree.widths) for _ in range(tree.longest)]
    row = 0
    for step, width in enumerate(tree.widths):
        for i in range(width):
            powers[row][step] = tree.base**i
            row += 1
    # Letters may be fewer than the longest word has.
    num_letters = nodes.add("Shape", codes, start=1, end=2)
    powers = nodes.add("Slice", nodes.constant(powers, "int64"), nodes.constant([0], "int64"), num_letters)
    numbers = nodes.add("MatMul", codes, powers)  # (words, steps)
    node = None
    for step, (width, table) in enumerate(zip(tree.widths, tree.steps, strict=True)):
        number = nodes.add("Gather", numbers, nodes.constant(step, "int64"), axis=1)
        if node is None:
            node = nodes.lookup(number, table, 0)
            continue
        ended = nodes.add("Equal", number, nodes.constant(0, "int64"))
        key = nodes.add("Add", nodes.add("Mul", node, nodes.constant(tree.base**width, "int64")), number)
        node = nodes.add("Where", ended, node, nodes.lookup(key, table, 0))
    return node
