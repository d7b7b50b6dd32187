import io

from rich.console import Console

from tagging.corpus import load_corpus
from tagging.python_source import label_python
from tagging.sentence import Sentence
from tagging.terminal import STYLES, WRONG, colour_source, colour_words, print_latencies

SOURCE = 'def f(x):\n    """One\n    two."""\n    return x  # é\n'


def test_coloured_source_is_the_same_text():
    sentences = label_python(SOURCE)
    assert colour_source(SOURCE, sentences, [sentence.labels for sentence in sentences]).plain == SOURCE


def test_every_token_has_its_labels_style_even_over_several_rows():
    sentences = label_python(SOURCE)
    text = colour_source(SOURCE, sentences, [sentence.labels for sentence in sentences])
    styled = {SOURCE[span.start : span.end]: span.style for span in text.spans}
    assert styled['"""One\n    two."""'] == STYLES["python"]["docstring"]
    assert styled["f"] == STYLES["python"]["function"]
    assert styled["# é"] == STYLES["python"]["comment"]


def test_only_wrong_labels_are_underlined():
    sentences = label_python("f(x)")
    text = colour_source("f(x)", sentences, [["call", "operator", "module", "operator"]])
    assert [(span.start, span.end) for span in text.spans if span.style == WRONG] == [(2, 3)]


def test_a_wrong_tag_is_followed_by_the_right_one():
    assert colour_words(Sentence(("Cats", "sleep"), ("NOUN", "VERB")), ["NOUN", "ADJ"]).plain == (
        "Cats/NOUN  sleep/ADJ not VERB  "
    )
    assert colour_words(Sentence(("Cats",)), ["VERB"]).plain == "Cats/VERB  "


def test_every_label_of_python_source_has_a_style():
    labels = {label for sentence in load_corpus(limit=10_000).train for label in sentence.labels}
    assert labels <= STYLES["python"].keys()


def test_latencies_are_printed_beside_their_ratio_to_the_first():
    console = Console(file=io.StringIO(), width=120)
    print_latencies(console, ["1 x 20", "32 x 20"], [("ours", [0.5, 4.0], 1e-7), ("theirs", [2.0, 6.0], 3e-7)])
    printed = console.file.getvalue()
    assert "2.00 (4.0x)" in printed
    assert "6.00 (1.5x)" in printed
    assert "3e-07" in printed
