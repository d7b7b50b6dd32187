"""`tokenizer.json`: every field checked, and named when it is wrong."""

import copy
import json

import pytest

from keras_seq.serving import BundleError
from keras_seq.serving.text import (
    CharTokenizer,
    WordCharacterTokenizer,
    WordPieceTokenizer,
    WordTokenizer,
    load_tokenizer,
)
from tests.serving.toy_text import SPECIAL, document


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("char", CharTokenizer),
        ("word", WordTokenizer),
        ("wordchar", WordCharacterTokenizer),
        ("wordpiece", WordPieceTokenizer),
    ],
)
def test_a_file_and_its_content_give_the_same(tmp_path, kind, made):
    content = document(kind, lowercase=True, max_length=7)
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    from_file = load_tokenizer(path)
    assert type(from_file) is made
    assert from_file == load_tokenizer(content) == load_tokenizer(str(path))


def test_only_the_rules_that_are_needed_must_be_there():
    load_tokenizer(document("char", rules={}))
    load_tokenizer(document("word", rules={"whitespace": [[32, 32]]}, punctuation="keep"))
    load_tokenizer(document("word", rules={"whitespace": [[32, 32]]}, split="whitespace"))
    load_tokenizer(document("char", license="MIT"))  # fields of a later writer are left alone
    with pytest.raises(BundleError, match=r"`rules.lower` is missing. Fields of `rules`: `whitespace`"):
        load_tokenizer(document("word", rules={"whitespace": [[32, 32]]}, punctuation="keep", lowercase=True))


@pytest.mark.parametrize(
    ("kind", "path", "wrong", "message"),
    [
        (
            "char",
            ("schema_version",),
            2,
            r"schema version 2 of tokenizers; this keras_seq reads up to 1. Upgrade keras",
        ),
        ("char", ("schema_version",), "1", "`schema_version` must be an integer. Received: '1'"),
        ("char", ("schema_version",), 0, "`schema_version` must be at least 1"),
        ("char", ("kind",), "bpe", "`kind` must be one of 'char', 'word', 'wordchar', 'wordpiece'. Received: 'bpe'"),
        ("char", ("kind",), None, "`kind` must be a string. Received: None"),
        ("char", ("vocabulary",), "ab", "`vocabulary` must be a list"),
        (
            "char",
            ("vocabulary",),
            [],
            r"`vocabulary` must be a list that starts with '<pad>', '<start>', '<end>', '<unk",
        ),
        ("char", ("vocabulary",), ["a", *SPECIAL], r"starts with .* Received: \['a', '<pad>', '<start>', '<end>'\]"),
        ("char", ("vocabulary", 4), "", r"`vocabulary\[4\]` must be a string that is not empty. Received: ''"),
        ("char", ("vocabulary", 5), 7, r"`vocabulary\[5\]` must be a string that is not empty. Received: 7"),
        ("char", ("vocabulary", 5), "a", "`vocabulary` must be a list in which no token stands twice. .*'a' 2 times"),
        ("char", ("lowercase",), 1, "`lowercase` must be true or false. Received: 1"),
        ("word", ("add_start",), None, "`add_start` must be true or false"),
        ("word", ("max_length",), 0, "`max_length` must be at least 1. Received: 0"),
        ("word", ("max_length",), 2.5, "`max_length` must be an integer or null"),
        ("word", ("split",), "letters", "`split` must be one of 'words', 'whitespace'. Received: 'letters'"),
        ("word", ("punctuation",), "drop", "`punctuation` must be one of 'split', 'remove', 'keep'. Received: 'drop'"),
        ("wordchar", ("num_first",), 0, "`num_first` must be at least 1. Received: 0"),
        ("wordchar", ("num_last",), -1, "`num_last` must be at least 0. Received: -1"),
        ("wordchar", ("num_last",), 2.0, "`num_last` must be an integer. Received: 2.0"),
        ("wordchar", ("punctuation",), "drop", "`punctuation` must be one of 'split', 'remove', 'keep'"),
        ("wordpiece", ("prefix",), "", "`prefix` must be a string that is not empty"),
        ("wordpiece", ("max_word_length",), -1, "`max_word_length` must be at least 1"),
        ("word", ("rules",), [], r"`rules` must be an object. Received: \[\]"),
        ("word", ("rules", "whitespace"), [], "`rules.whitespace` must be a list of at least one range"),
        ("word", ("rules", "whitespace"), None, "`rules.whitespace` must be a list. Received: None"),
        (
            "word",
            ("rules", "whitespace", 1),
            [13, 9],
            r"`rules.whitespace\[1\]` must be a range of code points \[first",
        ),
        ("word", ("rules", "punctuation", 0), [33], r"`rules.punctuation\[0\]` must be a range .*Received: \[33\]"),
        ("word", ("rules", "punctuation", 0), [33, 0x110000], r"`rules.punctuation\[0\]` must be .* from 0 to 1114111"),
        ("word", ("rules", "punctuation", 0), [True, 40], r"`rules.punctuation\[0\]` must be a range"),
        ("word", ("rules", "lower", 0), [65, 90, 0, 32], r"`rules.lower\[0\]` must be .*\[first, last, step, delta\]"),
        ("word", ("rules", "lower", 0), [65, 90, 1, -70], r"`rules.lower\[0\]` must be a range of code points"),
    ],
)
def test_a_wrong_field_is_named(kind, path, wrong, message):
    value = copy.deepcopy(document(kind, lowercase=True))
    parent = value
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = wrong
    with pytest.raises(BundleError, match=rf"^tokenizer.json(: | has ).*{message}"):
        load_tokenizer(value)


@pytest.mark.parametrize("kind", ["char", "word", "wordchar", "wordpiece"])
def test_a_missing_field_is_named(kind):
    content = document(kind)
    for name in content:
        if name == "max_length" or (kind == "char" and name == "rules"):
            continue  # null, and not needed
        value = {key: item for key, item in content.items() if key != name}
        with pytest.raises(BundleError, match=rf"`{name}`"):
            load_tokenizer(value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not JSON in UTF-8: .*damaged or cut short"),
        (b'{"schema_version": 1, "kind": "wo', "is not JSON in UTF-8"),
        (b'{"vocabulary": ["\xff"]}', "is not JSON in UTF-8"),
        (b'["<pad>"]', "is not a tokenizer that keras_seq wrote: it has no `schema_version` and `vocabulary`"),
        (b'{"model": {"type": "BPE"}, "version": "1.0"}', "is not a tokenizer that keras_seq wrote"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, data, message):
    path = tmp_path / "words.json"
    path.write_bytes(data)
    with pytest.raises(BundleError, match=rf"words.json {message}"):
        load_tokenizer(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(
        BundleError, match=r"nowhere.json cannot be read: No such file.* Give the file that a tokenizer"
    ):
        load_tokenizer(tmp_path / "nowhere.json")
