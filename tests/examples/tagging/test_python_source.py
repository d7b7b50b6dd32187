import keyword
from pathlib import Path

import pytest

from tagging.python_source import label_python, read_python, split_python
from tagging.sentence import CorpusError

PROGRAM = '''\
"""About it."""
import os.path as path, sys
from functools import wraps  # one

class Stack(Base):
    limit = 5

    @wraps(f, key=1)
    def push(self, item, *rest, size=None):
        """Puts it on top."""
        self.items.append(item)
        # alone
        return Stack(sys.argv[len(rest)], é := path.join("a", size=2), call(item))
'''


def labels_of(source, word):
    return [
        label
        for sentence in label_python(source)
        for token, label in zip(sentence.words, sentence.labels, strict=True)
        if token == word
    ]


@pytest.mark.parametrize(
    ("word", "labels"),
    [
        ('"""About it."""', ["docstring"]),
        ('"""Puts it on top."""', ["docstring"]),
        ('"a"', ["string"]),
        ("os", ["module"]),
        ("path", ["module"] * 3),
        ("sys", ["module"] * 2),
        ("functools", ["module"]),
        ("wraps", ["variable", "decorator"]),
        ("key", ["parameter"]),
        ("Stack", ["class"] * 2),
        ("Base", ["variable"]),
        ("limit", ["variable"]),
        ("push", ["function"]),
        ("self", ["self"] * 2),
        ("item", ["parameter", "variable", "variable"]),
        ("rest", ["parameter", "variable"]),
        ("size", ["parameter"] * 2),
        ("items", ["attribute"]),
        ("append", ["method"]),
        ("argv", ["attribute"]),
        ("join", ["method"]),
        ("len", ["builtin"]),
        ("é", ["variable"]),
        ("call", ["call"]),
        ("# one", ["comment"]),
        ("# alone", ["comment"]),
        ("return", ["keyword"]),
        ("None", ["keyword"]),
        ("5", ["number"]),
        (":=", ["operator"]),
    ],
)
def test_each_token_gets_the_label_of_what_it_stands_for(word, labels):
    assert labels_of(PROGRAM, word) == labels


def test_a_name_is_no_builtin_where_the_file_binds_it():
    assert labels_of("list = 1\nlist", "list") == ["variable", "variable"]
    assert labels_of("def id(): pass\nid()", "id") == ["function", "call"]
    assert labels_of("max(max)", "max") == ["builtin", "builtin"]


def test_a_static_method_has_no_self():
    source = "class A:\n    @staticmethod\n    def f(self): pass\n    def g(this): this"
    assert labels_of(source, "self") == ["parameter"]
    assert labels_of(source, "this") == ["self", "self"]


def test_soft_keywords_are_keywords_at_the_start_of_a_statement_alone():
    assert labels_of("match = 1\nmatch match:\n    case 1: pass", "match") == ["variable", "keyword", "variable"]


def test_columns_are_characters_even_after_characters_of_several_bytes():
    (sentence,) = label_python('x = "äöü", f(a.b), c')
    assert dict(zip(sentence.words, sentence.labels, strict=True))["b"] == "attribute"
    assert sentence.positions[sentence.words.index("c")] == (0, 19)


def test_a_logical_line_is_one_sentence_over_several_rows():
    sentences = label_python("f(a,\n  b)\n# done\ng")
    assert [sentence.words for sentence in sentences] == [("f", "(", "a", ",", "b", ")"), ("# done",), ("g",)]


def test_a_comment_in_the_middle_of_a_line_is_a_sentence_by_itself():
    sentences = label_python("# one\nf(a,  # two\n  # three\n  b)  # four\n# five")
    words = [("# one",), ("# two",), ("# three",), ("f", "(", "a", ",", "b", ")", "# four"), ("# five",)]
    assert [sentence.words for sentence in sentences] == words
    assert [sentence.positions[-1] for sentence in sentences] == [(0, 0), (1, 6), (2, 2), (3, 6), (4, 0)]


def test_labelled_and_unlabelled_reading_give_the_same_tokens():
    labelled, plain = label_python(PROGRAM), split_python(PROGRAM)
    assert [(s.words, s.positions) for s in labelled] == [(s.words, s.positions) for s in plain]
    assert all(sentence.labels is None for sentence in plain)


def test_positions_point_at_the_words_in_a_real_module():
    rows = Path(keyword.__file__).read_text(encoding="utf-8").split("\n")
    for sentence in read_python(keyword.__file__):
        for word, (row, column) in zip(sentence.words, sentence.positions, strict=True):
            assert "\n".join(rows[row:])[column:].startswith(word)


def test_source_that_does_not_parse_is_refused_by_name():
    with pytest.raises(CorpusError, match=r"bad\.py: not valid Python for this interpreter: .*line 2"):
        label_python("x = 1\ny = = 2", "bad.py")
    with pytest.raises(CorpusError, match=r"bad\.py: cannot be cut into Python tokens"):
        split_python("x = (1,\n", "bad.py")


def test_a_file_that_cannot_be_decoded_is_refused_by_name(tmp_path):
    path = tmp_path / "latin.py"
    path.write_bytes(b"x = '\xe9'\n")
    with pytest.raises(CorpusError, match=r"latin\.py: cannot be decoded as Python source"):
        read_python(path)
