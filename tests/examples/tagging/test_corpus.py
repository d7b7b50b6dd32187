import functools
from pathlib import Path

import pytest

from tagging.corpus import load_corpus, read_lines, read_words
from tagging.scores import MostFrequentLabel, score_groups
from tagging.sentence import CorpusError

TREEBANK = Path(__file__).resolve().parents[4] / "shared" / "data" / "pos_tagging"
WORD = "1\tx\t_\tNOUN" + "\t_" * 6


def test_the_standard_library_is_read_in_two_parts_that_share_no_module():
    corpus = load_corpus(limit=2000)
    assert corpus.task == "python"
    assert 2000 <= sum(map(len, corpus.train)) < 2200
    assert 500 <= sum(map(len, corpus.held_out)) < 700
    assert corpus.sample.read_text(encoding="utf-8").split("\n")[corpus.sample_row - 1].split()[0] in ("class", "def")


def test_the_standard_library_is_split_the_same_way_every_time():
    assert load_corpus(limit=700) == load_corpus(limit=700)


def test_a_folder_needs_one_file_of_each_part(tmp_path):
    with pytest.raises(CorpusError, match=r"expected one file named \*-train\.conllu\. Found: none"):
        load_corpus(tmp_path)
    for name in ("a-train.conllu", "b-train.conllu"):
        (tmp_path / name).write_text(WORD)
    with pytest.raises(CorpusError, match=r"Found: a-train\.conllu, b-train\.conllu"):
        load_corpus(tmp_path)


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"--data must be a folder .*nowhere, which is no folder"):
        load_corpus(tmp_path / "nowhere")


def test_a_file_without_words_is_refused(tmp_path):
    (tmp_path / "a-train.conllu").write_text("# nothing\n")
    (tmp_path / "a-dev.conllu").write_text(WORD)
    with pytest.raises(CorpusError, match=r"a-train\.conllu: expected at least one sentence\. Found none"):
        load_corpus(tmp_path)


def test_a_piece_of_python_is_read_without_labels_and_a_program_with_them(tmp_path):
    path = tmp_path / "piece.py"
    path.write_text("x = 1\n")
    assert read_words(path, "python")[0].labels == ("variable", "operator", "number")
    path.write_text("return x\n    y z\n", encoding="utf-8")
    assert read_words(path, "python")[0].labels is None


def test_python_is_read_in_the_encoding_it_declares(tmp_path):
    path = tmp_path / "latin.py"
    path.write_bytes(b"# coding: latin-1\nx = '\xe9'\n")
    assert read_words(path, "python")[1].words[-1] == "'é'"


def test_a_treebank_is_read_with_its_labels(tmp_path):
    (tmp_path / "a.conllu").write_text(WORD)
    assert read_words(tmp_path / "a.conllu", "conllu")[0].labels == ("NOUN",)


def test_a_text_is_read_line_by_line(tmp_path):
    (tmp_path / "a.txt").write_text("Cats sleep.\n\nDös'.", encoding="utf-8")
    assert read_lines(tmp_path / "a.txt") == ["Cats sleep.", "", "Dös'."]
    (tmp_path / "a.txt").write_bytes(b"D\xf6s")
    with pytest.raises(CorpusError, match=r"a\.txt: cannot be read: .*0xf6"):
        read_lines(tmp_path / "a.txt")


@pytest.mark.parametrize(
    "read",
    [read_lines, functools.partial(read_words, task="python"), functools.partial(read_words, task="conllu")],
    ids=["text", "python", "conllu"],
)
def test_a_missing_file_is_refused_by_name(tmp_path, read):
    with pytest.raises(CorpusError, match=r"missing\.txt: cannot be read"):
        read(tmp_path / "missing.txt")


def test_the_english_web_treebank_is_read_whole():
    if not TREEBANK.is_dir():
        pytest.skip(f"the treebank is not there: {TREEBANK}")
    corpus = load_corpus(TREEBANK)
    assert (len(corpus.train), sum(map(len, corpus.train))) == (12_162, 203_876)
    assert sum(map(len, corpus.held_out)) == 24_916
    baseline = MostFrequentLabel(corpus.train)
    predicted = [[baseline.label(word) for word in sentence.words] for sentence in corpus.held_out]
    (score, *_) = score_groups(baseline, corpus.held_out, predicted)
    assert score.baseline == score.model
    assert 0.86 < score.model < 0.90
