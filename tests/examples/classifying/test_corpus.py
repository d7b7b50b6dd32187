from pathlib import Path

import pytest

from classifying.corpus import load_corpus, read_labelled, read_lines
from classifying.docstrings import CHAPTERS, read_docstrings
from tagging.sentence import CorpusError

SENTIMENT = Path(__file__).resolve().parents[4] / "shared" / "data" / "sentiment"


def write(folder, name, rows, columns=("label", "text")):
    lines = ["\t".join(columns), *("\t".join(row) for row in rows)]
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_a_folder_has_a_task_and_texts_beside_it(tmp_path):
    write(tmp_path, "films-train.tsv", [("1", f'"fine" film {number}') for number in range(7)] + [("0", "dull")])
    write(tmp_path, "films-dev.tsv", [("0", "so dull"), ("1", "fine")])
    write(tmp_path, "cafes-train.tsv", [("1", "yelp", "good tea")], ("label", "domain", "text"))
    (tmp_path / "plain.txt").write_text(" \nthe <unk> of half @-@ hearted films\n", encoding="utf-8")
    corpus = load_corpus(tmp_path, [tmp_path / "plain.txt"], seed=3)
    assert corpus.description == "films"
    assert corpus.labels == ["negative", "positive"]
    assert sorted(corpus.train)[0] == ('"fine" film 0', "positive")
    assert len(corpus.train) == 8
    assert corpus.dev == [("so dull", "negative"), ("fine", "positive")]
    assert corpus.unlabelled == ["the   of half-hearted films", "good tea"]
    again = load_corpus(tmp_path / "films-train.tsv", [], seed=3)
    assert again.train == corpus.train != sorted(corpus.train)
    assert again.unlabelled == []


def test_labels_other_than_0_and_1_keep_their_names(tmp_path):
    write(tmp_path, "a-train.tsv", [("0", "one"), ("1", "two"), ("2", "three")])
    assert [label for _, label in read_labelled(tmp_path / "a-train.tsv")] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("train", "dev", "message"),
    [
        (None, None, r"expected a folder with a file \*-train\.tsv, or such a file\. Found none"),
        ("label\ttext\n1\tfine\n0\tdull\n", None, r"a-train\.tsv: expected NAME-train\.tsv and NAME-dev\.tsv"),
        ("fine\t1\n", "", r"a-train\.tsv, line 1: expected columns `label` and `text`\. Found: 'fine, 1'"),
        ("", "", r"line 1: expected columns `label` and `text`\. Found: ''"),
        ("label\ttext\n1\tfine\n0\n", "", r"a-train\.tsv, line 3: expected 2 cells .* Found: \['0'\]"),
        ("label\ttext\n1\t \n", "", r"a-train\.tsv, line 2: expected 2 cells with a label and a text"),
        ("label\ttext\nx\tfine\n", "label\ttext\nx\tfine\n", "at least two different labels"),
        ("label\ttext\nx\tfine\ny\tdull\n", "label\ttext\nz\tfine\n", "labels in the dev texts alone: z"),
        (b"label\ttext\n1\t\xff\n", "", r"a-train\.tsv: cannot be read: 'utf-8' codec"),
    ],
)
def test_bad_files_are_refused_with_the_line(tmp_path, train, dev, message):
    for part, content in (("train", train), ("dev", dev)):
        if content is not None:
            (tmp_path / f"a-{part}.tsv").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(CorpusError, match=message):
        load_corpus(tmp_path, [], seed=1)


def test_a_plain_text_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CorpusError, match=r"nowhere\.txt: cannot be read"):
        list(read_lines(tmp_path / "nowhere.txt"))


def test_docstrings_have_the_chapter_of_their_module(tmp_path):
    (tmp_path / "asyncio").mkdir()
    (tmp_path / "asyncio" / "a.py").write_text(
        '"""Waits for tasks.\n\nAt some\n length."""\n'
        'class A:\n    """A task that\n    waits."""\n    def f(self):\n        """No."""\n'
    )
    (tmp_path / "statistics.py").write_text('def mean():\n    """Mean of\tnumbers."""\n    "not a docstring at all"\n')
    (tmp_path / "html.py").write_text('"""Mean of numbers."""\nasync def f(): """Makes text safe."""\n')
    (tmp_path / "turtle.py").write_text('"""Is in none of the chapters."""\n')
    (tmp_path / "csv.py").write_text('"""Is broken on purpose."""\ndef f(:\n')
    labelled, others = read_docstrings(tmp_path)
    assert labelled == [
        ("Waits for tasks.", "concurrency"),
        ("A task that waits.", "concurrency"),
        ("Mean of numbers.", "networks"),
        ("Makes text safe.", "networks"),
    ]
    assert others == ["At some length."]


def test_every_machine_has_docstrings_enough():
    corpus = load_corpus(None, [], seed=1)
    assert set(corpus.labels) == set(CHAPTERS)
    assert len(corpus.train) > 3000
    assert len(corpus.dev) > 400
    assert len(corpus.unlabelled) > 2000
    assert not {text for text, _ in corpus.train} & {text for text, _ in corpus.dev}


def test_the_snippets_of_film_reviews():
    if not SENTIMENT.is_dir():
        pytest.skip(f"the snippets are not there: {SENTIMENT}")
    corpus = load_corpus(SENTIMENT, [], seed=1)
    assert corpus.description == "movie_polarity"
    assert (len(corpus.train), len(corpus.dev), len(corpus.unlabelled)) == (7994, 1066, 2227)
    assert corpus.labels == ["negative", "positive"]
