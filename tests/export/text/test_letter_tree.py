"""The tree of letters, walked in plain Python."""

import random

import pytest

from keras_seq.export.text.letter_tree import letter_tree

pytestmark = pytest.mark.backend("tensorflow")


def walk(tree, word):
    codes = [tree.codes.get(letter, tree.stranger) for letter in word]
    if len(codes) > tree.longest:
        return tree.ids[0]
    node, start = 0, 0
    for step, (width, table) in enumerate(zip(tree.widths, tree.steps, strict=True)):
        number = sum(code * tree.base**i for i, code in enumerate(codes[start : start + width]))
        if step == 0 or number:
            key = node * tree.base**width + number
            assert key < 2**63
            node = table.get(key, 0)
        start += width
    return tree.ids[node]


@pytest.mark.parametrize(("letters", "longest"), [("ab", 200), ("abcdefghijkl", 29), (range(0x4E00, 0x9000), 7)])
def test_exactly_the_words_of_the_vocabulary_are_found(letters, longest):
    rng = random.Random(7)
    letters = letters if isinstance(letters, str) else [chr(point) for point in letters]
    words = {"": 0}
    for number in range(499):
        words.setdefault("".join(rng.choices(letters, k=rng.randint(1, longest))), number + 4)
    tree = letter_tree(words, unknown_id=3)
    others = {word[:-1] for word in words} | {word + letters[0] for word in words} | {word + "?" for word in words}
    for word in {*words, *others}:
        assert walk(tree, word) == words.get(word, 3)


def test_several_letters_are_read_at_a_time():
    tree = letter_tree({"": 0, "a" * 40: 4, "b": 5}, unknown_id=3)
    assert sum(tree.widths) == 40
    assert len(tree.widths) <= 3


def test_words_that_begin_alike_share_their_way():
    tree = letter_tree({"": 0} | {"a" * 45 + letter: i for i, letter in enumerate("bcdefgh", start=4)}, unknown_id=3)
    assert [len(step) for step in tree.steps[:-1]] == [2, *[1] * (len(tree.steps) - 2)]
