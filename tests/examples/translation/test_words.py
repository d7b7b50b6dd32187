import pytest

from translation.words import Truecaser, join_words, split_words

SENTENCES = [
    "Ich habe Tom schon alles gesagt.",
    "Ist das Wasser kalt? Ja!",
    "Er sagte: „Komm, wenn du willst.“",
    'Die Mutter rief: "Nein!"',
    "Es ist 6:30 Uhr (morgens), nicht 18.30 Uhr.",
    "Das U-Boot kostet 3,50 $ und 20%.",
    "Tom hat's gewusst; ich nicht …",
]


@pytest.mark.parametrize("sentence", SENTENCES[:6])
def test_sentences_survive_being_cut_and_joined(sentence):
    words = split_words(sentence)
    assert join_words(words) == sentence
    small = Truecaser(frozenset(word.lower() for word in words)).apply(words)
    assert join_words(small) == sentence


def test_words_numbers_and_marks_are_told_apart():
    assert split_words("Tom\u2019s 1.000,50 U-Bahn-Karten …?") == ("Tom\u2019s", "1.000,50", "U-Bahn-Karten", "…", "?")
    assert split_words("  ") == ()
    assert join_words(()) == ""


def test_the_capital_goes_only_where_a_sentence_begins():
    truecaser = Truecaser.fit(map(split_words, ["Das ist das Haus.", "Da ist Tom, das Kind.", "Hier ist Essen."]))
    assert truecaser.lower == {"das", "ist"}
    written = truecaser.apply(split_words("Das Haus. Ist das Tom? Das!"))
    assert " ".join(written) == "das Haus . ist das Tom ? das !"
    assert truecaser.apply(split_words("Er rief: „Das Haus!“")) == ("Er", "rief", ":", "„", "Das", "Haus", "!", "“")


def test_words_mostly_written_with_a_capital_keep_it():
    truecaser = Truecaser.fit([("x", "Essen"), ("x", "Essen"), ("x", "essen"), ("x", "gehen")])
    assert truecaser.apply(("Essen",)) == ("Essen",)
    assert truecaser.apply(("Gehen",)) == ("gehen",)
