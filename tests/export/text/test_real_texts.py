"""Texts that people wrote: a graph gives the ids and tokens of plain Python."""

from collections import Counter
from itertools import islice

import pytest

from tests.export.text.graphs import assert_tokenized, document, tokenizing, tokens_of
from tests.keras_seq.text import oracle
from tests.repository import ROOT

DATA = ROOT.parent / "shared" / "data"
LINES_OF_EACH = 41
BATCH = 97

pytestmark = pytest.mark.backend("tensorflow")


@pytest.fixture(scope="module")
def lines():
    """Some lines of every text file there, the short ones first."""
    if not DATA.is_dir():
        pytest.skip(f"the texts are not there: {DATA}")
    files = sorted(path for path in DATA.rglob("*") if path.suffix in (".txt", ".tsv", ".conllu", ".abc", ".md"))
    found = []
    for path in files:
        with open(path, encoding="utf-8", errors="replace") as file:
            found += islice(file, LINES_OF_EACH)
    assert len(found) > 1000
    return sorted(found, key=len)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("char", {"lowercase": True, "add_start": True, "add_end": True, "max_length": 53}),
        ("word", {"lowercase": True, "add_end": True}),
        ("word", {"punctuation": "remove"}),
    ],
    ids=["letters", "words", "words without signs"],
)
def test_the_graph_gives_the_ids_and_tokens_of_plain_python(lines, kind, settings):
    empty = document(kind, [], **settings)
    lowered = map(oracle.lowered, lines) if empty["lowercase"] else lines
    counts = Counter(token for line in lowered for token in tokens_of(empty, line))
    words = [token for token, count in counts.items() if count > 1 and token not in empty["vocabulary"]]
    tokenizer = document(kind, words, **settings)
    run = tokenizing(tokenizer)
    for start in range(0, len(lines), BATCH):
        assert_tokenized(tokenizer, run, lines[start : start + BATCH])
