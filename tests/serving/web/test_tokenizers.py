"""Tokenizers in JavaScript: the ids of Python on texts made to be disagreed on, and on texts that people wrote."""

import json
from itertools import islice

import pytest

from keras_seq.serving import BundleError
from keras_seq.serving.text import load_tokenizer
from tests.repository import ROOT
from tests.serving.toy_text import document
from tests.serving.web.node import check, run_tests, write_cases
from tests.unicode_torture import INVALID_UTF8, LONE_SURROGATES, TEXTS

DATA = ROOT.parent / "shared" / "data"
LINES_OF_EACH = 17
CORPUS = [text for text in TEXTS.values() if len(text) < 2000]
GIVEN = [given for given, _ in (*INVALID_UTF8.values(), *LONE_SURROGATES.values())]
TORTURE = [*TEXTS.values(), *GIVEN, "\ufeffstart".encode(), "caf\u00e9 \U0001f600".encode()]
SETTINGS = {
    "characters": ("char", {"add_start": True, "add_end": True, "max_length": 101}),
    "small characters": ("char", {"lowercase": True}),
    "words": ("word", {"lowercase": True, "add_end": True}),
    "words without marks": ("word", {"punctuation": "remove", "max_length": 3}),
    "words, one at most": ("word", {"add_end": True, "max_length": 1}),
    "whitespace": ("word", {"split": "whitespace", "punctuation": "keep", "lowercase": True}),
    "spellings": ("wordchar", {"num_first": 2, "num_last": 3, "add_end": True, "max_length": 7}),
    "ends of words": ("wordchar", {"num_first": 1, "num_last": 5, "lowercase": True}),
    "beginnings of words": ("wordchar", {"num_first": 8, "num_last": 0, "punctuation": "remove", "add_start": True}),
    "pieces": ("wordpiece", {"lowercase": True, "max_word_length": 100}),
    "pieces of short words": ("wordpiece", {"prefix": "\U0001f600+", "split": "whitespace", "max_word_length": 9}),
}


def _document(kind, settings, texts):
    """A tokenizer with Python's rules for all of Unicode, which knows half of what is in the texts."""
    from tests.export.text.graphs import RULES, SPECIAL

    whole = document(kind, vocabulary=[*SPECIAL, "a"], rules=RULES, **settings)
    reader = load_tokenizer({**whole, "kind": "word", "punctuation": "split", "split": "words"})
    known = dict.fromkeys(token for text in texts[::2] for token in reader.split(text))
    letters = dict.fromkeys(letter for token in known for letter in token)
    if kind == "wordpiece":
        prefix = whole["prefix"]
        known = {**letters, **{prefix + letter: 0 for letter in letters}, **{token[:3]: 0 for token in known}}
        known |= {prefix + token[2:5]: 0 for token in dict.fromkeys(known) if len(token) > 2 and prefix not in token}
    words = letters if kind in ("char", "wordchar") else known
    return {**whole, "vocabulary": [*SPECIAL, *(word for word in words if word not in SPECIAL)]}


def _case(name, document, texts):
    tokenizer = load_tokenizer(document)
    ids = tokenizer.encode(texts)
    return {
        "name": name,
        "document": document,
        "texts": texts,
        "ids": [row.tolist() for row in ids],
        "tokens": tokenizer.tokens(texts),
        "splits": [tokenizer.split(text) for text in texts],
        "decoded": None if document["kind"] == "wordchar" else tokenizer.decode([row.tolist() for row in ids]),
        "framed": [row.tolist() for row in tokenizer.encode(texts, add_start=True, add_end=False)],
    }


@pytest.mark.backend("tensorflow")
def test_texts_on_which_tokenizers_disagree(tmp_path, subtests):
    given = {name: (kind, _document(kind, settings, CORPUS)) for name, (kind, settings) in SETTINGS.items()}
    cases = [_case(name, made, TORTURE) for name, (_, made) in given.items()]
    for case in cases:
        found = {str(token) for row in case["ids"] for token in row}
        assert len(found) > 20 or case["document"]["max_length"] == 1  # else the vocabulary is that of other texts
    damages = {
        "a newer schema": {"schema_version": 2},
        "another kind": {"kind": "syllable"},
        "no list": {"vocabulary": 7},
        "other special tokens": {"vocabulary": ["<pad>", "a", "b", "c", "d"]},
        "a token twice": {"vocabulary": ["<pad>", "<start>", "<end>", "<unk>", "a", "a"]},
        "no length": {"max_length": 0},
        "no such punctuation": {"punctuation": "skip"},
        "no ranges": {"rules": {"whitespace": []}},
        "a range backwards": {"rules": {"whitespace": [[9, 8]]}},
        "lowered beyond the last": {"lowercase": True, "rules": {"lower": [[65, 90, 1, 0x10FFFF]]}},
        "rules missing": {"rules": {"whitespace": [[32, 32]]}},
    }
    damaged = []
    for name, change in damages.items():
        spoilt = {**document("word"), **change}
        with pytest.raises(BundleError) as error:
            load_tokenizer(json.loads(json.dumps(spoilt)))
        damaged.append({"name": name, "document": spoilt, "message": str(error.value)})
    check(subtests, run_tests("tokenizers.test.js", write_cases(tmp_path, tokenizers=cases, damaged=damaged)))


@pytest.mark.backend("tensorflow")
def test_texts_that_people_wrote(tmp_path, subtests):
    if not DATA.is_dir():
        pytest.skip(f"TOKENIZERS IN JAVASCRIPT ARE NOT TRIED ON REAL TEXTS: they are not there: {DATA}")
    files = sorted(path for path in DATA.rglob("*") if path.suffix in (".txt", ".tsv", ".conllu", ".abc", ".md"))
    lines = []
    for path in files:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines += islice(file, LINES_OF_EACH)
    assert len(lines) > 300
    kinds = {name: SETTINGS[name] for name in ("small characters", "words", "spellings", "pieces")}
    cases = [_case(name, _document(kind, settings, lines), lines) for name, (kind, settings) in kinds.items()]
    check(subtests, run_tests("tokenizers.test.js", write_cases(tmp_path, tokenizers=cases)))
