import re

import pytest

from keras_seq.text import WordTokenizer
from keras_seq.text.rules import default_rules
from keras_seq.text.vocabulary import SPECIAL_TOKENS
from tests.keras_seq.text import oracle
from tests.unicode_torture import TEXTS


def tokens(tokenizer, texts):
    return [[token.decode() for token in row] for row in tokenizer.split(texts).to_list()]


@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("punctuation", ["split", "remove", "keep"])
def test_words_are_those_of_python(punctuation, lowercase):
    tokenizer = WordTokenizer(SPECIAL_TOKENS, lowercase=lowercase, punctuation=punctuation)
    texts = [oracle.lowered(text) if lowercase else text for text in TEXTS.values()]
    assert tokens(tokenizer, list(TEXTS.values())) == [oracle.words(text, punctuation) for text in texts]


def test_words_are_those_of_a_regular_expression():
    def ranges(name):
        return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in rules[name])

    rules = default_rules(["whitespace", "punctuation"])
    word = re.compile(f"[^{ranges('whitespace')}{ranges('punctuation')}]+|[{ranges('punctuation')}]")
    tokenizer = WordTokenizer(SPECIAL_TOKENS, lowercase=False)
    assert tokens(tokenizer, list(TEXTS.values())) == [word.findall(text) for text in TEXTS.values()]


def test_whitespace_alone_separates_when_asked():
    tokenizer = WordTokenizer(SPECIAL_TOKENS, lowercase=False, split="whitespace")
    assert tokenizer.punctuation == "keep"
    assert "punctuation" not in tokenizer.rules
    assert tokens(tokenizer, ["Don't  stop,\u3000<unk>\0now"]) == [["Don't", "stop,", "<unk>", "now"]]


def test_rules_decide_what_a_word_is():
    rules = {"whitespace": [[ord("_"), ord("_")]], "punctuation": [[ord(" "), ord(" ")]], "lower": [[66, 68, 2, 32]]}
    tokenizer = WordTokenizer(SPECIAL_TOKENS, rules=rules)
    assert tokens(tokenizer, ["ABCD_.\n a"]) == [["AbCd", ".\n", " ", "a"]]


def test_most_frequent_words_come_first_and_ties_in_the_order_of_code_points():
    lines = ["b a b", "\u00e4 a c", "B <pad> <unk>"]
    assert WordTokenizer.from_lines(lines, split="whitespace").vocabulary[4:] == ("b", "a", "c", "\u00e4")
    assert WordTokenizer.from_lines(reversed(lines)).vocabulary == WordTokenizer.from_lines(lines).vocabulary
    assert WordTokenizer.from_lines(lines, lowercase=False, max_size=6).vocabulary[4:] == ("<", ">")
    assert WordTokenizer.from_lines(lines, punctuation="remove", min_count=2).vocabulary[4:] == ("b", "a")


def test_no_text_can_forge_a_special_token():
    tokenizer = WordTokenizer([*SPECIAL_TOKENS, "a"], split="whitespace")
    assert tokenizer.encode("<pad> <start> a <end> <unk> <PAD>") == [3, 3, 4, 3, 3, 3]


def test_unknown_words_are_written_as_such():
    tokenizer = WordTokenizer.from_lines(["the cat ."])
    assert tokenizer.decode(tokenizer.encode("The dog.")) == "the <unk> ."
    assert tokens(tokenizer, ["The dog."]) == [["the", "dog", "."]]


def test_settings_that_do_not_go_together_are_refused():
    with pytest.raises(ValueError, match=r"goes with .* alone. Received: punctuation='remove'"):
        WordTokenizer(SPECIAL_TOKENS, split="whitespace", punctuation="remove")
    with pytest.raises(ValueError, match=r"`split` must be one of \['words', 'whitespace'\]. Received: split='lines'"):
        WordTokenizer(SPECIAL_TOKENS, split="lines")
    with pytest.raises(ValueError, match=r"`punctuation` must be one of .* Received: punctuation='drop'"):
        WordTokenizer(SPECIAL_TOKENS, punctuation="drop")
