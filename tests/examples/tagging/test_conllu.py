import pytest

from tagging.conllu import parse_conllu, read_conllu
from tagging.sentence import CorpusError


def line(identifier, form="x", upos="NOUN"):
    return "\t".join([identifier, form, "_", upos, *"______"])


def test_comments_ranges_and_empty_nodes_are_no_words():
    lines = [
        "# text = Don't stop",
        line("1-2", "Don't", "_"),
        line("1", "Do", "AUX"),
        line("2", "n't", "PART"),
        line("2.1", "ever", "ADV"),
        line("3", "stop", "VERB"),
    ]
    (sentence,) = parse_conllu(lines)
    assert sentence.words == ("Do", "n't", "stop")
    assert sentence.labels == ("AUX", "PART", "VERB")


def test_blank_lines_end_sentences_however_many_there_are():
    lines = ["", line("1", "a"), "", "", line("1", "b"), line("2", "c"), "\n"]
    assert [sentence.words for sentence in parse_conllu(lines)] == [("a",), ("b", "c")]


def test_the_last_sentence_needs_no_blank_line_after_it(tmp_path):
    path = tmp_path / "a.conllu"
    path.write_text(line("1", "é") + "\r\n" + line("2", "#1"), encoding="utf-8")
    assert read_conllu(path)[0].words == ("é", "#1")


def test_a_form_may_hold_spaces_and_underscores():
    (sentence,) = parse_conllu([line("1", "10 000", "NUM"), line("2", "_", "PUNCT")])
    assert sentence.words == ("10 000", "_")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("1 word NOUN", r"lines>, line 2: a word needs 10 columns separated by tabs\. Received 1: '1 word NOUN'"),
        (line("one"), r"line 2: the first column must be a word's number .* Received: 'one'"),
        (line("0"), r"line 2: the first column must be a word's number .* Received: '0'"),
        (line("3"), r"line 2: expected word 2 of the sentence\. Received: 3\. Sentences are separated by a blank line"),
        (line("2", ""), r"line 2: a word needs a form \(column 2\) .* Received: '' and 'NOUN'"),
        (line("2", "x", "_"), r"line 2: a word needs .* UPOS label \(column 4\)\. Received: 'x' and '_'"),
    ],
)
def test_a_bad_line_is_named_with_its_number(bad, message):
    with pytest.raises(CorpusError, match=message):
        list(parse_conllu([line("1"), bad]))


def test_a_file_that_is_not_utf8_is_refused_by_name(tmp_path):
    path = tmp_path / "latin.conllu"
    path.write_bytes(line("1", "caf\xe9").encode("latin-1"))
    with pytest.raises(CorpusError, match=r"latin\.conllu: a CoNLL-U file must be UTF-8"):
        read_conllu(path)
