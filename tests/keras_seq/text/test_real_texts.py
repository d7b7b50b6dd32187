"""Texts that people wrote: TensorFlow and plain Python give the same ids."""

from itertools import islice

import pytest

from keras_seq.serving.text import load_tokenizer
from keras_seq.text import CharTokenizer, WordPieceTokenizer, WordTokenizer
from tests.repository import ROOT

DATA = ROOT.parent / "shared" / "data"
LINES_OF_EACH = 70

pytestmark = pytest.mark.backend("tensorflow")


@pytest.fixture(scope="module")
def lines():
    """Some lines, as bytes, of every text file there."""
    if not DATA.is_dir():
        pytest.skip(f"the texts are not there: {DATA}")
    files = sorted(path for path in DATA.rglob("*") if path.suffix in (".txt", ".tsv", ".conllu", ".abc", ".md"))
    found = []
    for path in files:
        with open(path, "rb") as file:
            found += islice(file, LINES_OF_EACH)
    assert len(found) > 1500
    return found


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (CharTokenizer, {"lowercase": True, "min_count": 2, "add_start": True, "add_end": True, "max_length": 53}),
        (WordTokenizer, {"min_count": 2, "add_end": True}),
        (WordPieceTokenizer, {"min_count": 5, "max_size": 1000, "max_characters": 150, "max_word_length": 23}),
    ],
)
def test_python_gives_the_ids_of_tensorflow(lines, kind, settings):
    tokenizer = kind.from_lines(lines, **settings)
    twin = load_tokenizer(tokenizer.to_dict())
    ids = tokenizer.encode(lines)
    assert ids == [row.tolist() for row in twin.encode(lines)]
    assert tokenizer.decode(ids) == twin.decode(ids)
    assert sum(row.count(3) for row in ids) > 0
