import pytest

from language_modelling.texts import load_texts
from tagging.sentence import CorpusError


@pytest.fixture
def folder(tmp_path):
    """A short text, and a longer one with blanks between all its tokens."""
    files = {
        "verse-train.txt": "A:\nOne, two.\n\nB:\nThree.\n",
        "verse-dev.txt": "C:\nFour.\n",
        "wiki-train-sample.txt": " = Fish = \n \n A fish , which swims . \n It is wet . \n",
        "wiki-dev.txt": " = Bird = \n \n A bird sings . \n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_by_character_a_text_stands_between_blank_lines_and_the_shortest_file_is_taken(folder):
    corpus = load_texts(folder, "char")
    assert corpus.train.texts == ["A:\nOne, two.", "B:\nThree."]
    assert corpus.dev.texts == ["C:\nFour."]
    assert (corpus.train.characters, corpus.dev.characters) == (24, 9)
    assert corpus.description == "verse-train.txt, judged by verse-dev.txt"
    assert not corpus.spaced


def test_by_word_a_text_is_a_line_and_the_longest_file_is_taken(folder):
    corpus = load_texts(folder, "word")
    assert corpus.train.texts == ["= Fish =", "A fish , which swims .", "It is wet ."]
    assert corpus.dev.texts == ["= Bird =", "A bird sings ."]
    assert corpus.spaced


def test_a_text_can_be_named(folder):
    assert load_texts(folder, "word", "verse").train.texts == ["A:", "One, two.", "B:", "Three."]


def test_the_documentation_of_python_has_topics_of_its_own_to_be_judged_by():
    by_character, by_word = load_texts(None, "char"), load_texts(None, "word")
    assert 0.02 < by_character.dev.characters / by_character.train.characters < 0.5
    assert by_character.train.characters > 100_000
    assert "topics of Python's documentation, judged by" in by_character.description
    assert not any("\n" in text for text in by_word.train.texts)
    assert any("\n" in text for text in by_character.train.texts)


@pytest.mark.parametrize(
    ("change", "name", "message"),
    [
        (lambda folder: folder / "none", None, r"must be a folder with texts. Received: .*none, which is no folder"),
        (lambda folder: folder, "poems", r"expected poems-train\*.txt, one file, and poems-dev.txt. Found: verse-dev"),
        (lambda folder: (folder / "verse-dev.txt").write_text(" \n\n") and folder, None, r"expected text. Found none"),
        (lambda folder: (folder / "verse-dev.txt").write_bytes(b"\xff") and folder, None, r"cannot be read: .*utf-8"),
        (lambda folder: (folder / "new").mkdir() or folder / "new", None, r"expected NAME-train.*Found: none\."),
    ],
)
def test_what_cannot_be_read_is_told(folder, change, name, message):
    with pytest.raises(CorpusError, match=message):
        load_texts(change(folder), "char", name)
