import json

import pytest

from keras_seq.text import CharTokenizer, WordCharacterTokenizer, WordPieceTokenizer, WordTokenizer, load_tokenizer
from keras_seq.text.rules import default_rules
from keras_seq.text.vocabulary import SPECIAL_TOKENS
from tests.unicode_torture import TEXTS

VOCABULARY = [*SPECIAL_TOKENS, "a", "\u00df", "\0", '"', "\U0001f600", "\u2028"]
TOKENIZERS = {
    "char": (CharTokenizer, {"lowercase": True, "add_start": True}),
    "word": (WordTokenizer, {"punctuation": "remove", "max_length": 7, "add_end": True}),
    "whitespace": (WordTokenizer, {"split": "whitespace", "lowercase": False}),
    "wordchar": (WordCharacterTokenizer, {"num_first": 3, "num_last": 0, "punctuation": "keep", "add_end": True}),
    "wordpiece": (WordPieceTokenizer, {"prefix": "@@", "max_word_length": 11}),
}
RULES = {
    "char": ["lower"],
    "word": ["whitespace", "punctuation", "lower"],
    "whitespace": ["whitespace"],
    "wordchar": ["whitespace"],
    "wordpiece": ["whitespace", "punctuation", "lower"],
}


@pytest.fixture(params=TOKENIZERS)
def tokenizer(request):
    kind, settings = TOKENIZERS[request.param]
    return kind(VOCABULARY, **settings)


def test_a_tokenizer_is_the_same_after_save_and_load(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "tokenizer.json")
    for again in (type(tokenizer).load(tmp_path / "tokenizer.json"), load_tokenizer(str(tmp_path / "tokenizer.json"))):
        assert type(again) is type(tokenizer)
        assert again.to_dict() == tokenizer.to_dict()
        texts = list(TEXTS.values())
        assert again.encode(texts) == tokenizer.encode(texts)
    assert load_tokenizer(tmp_path / "tokenizer.json", ragged=True, name="tokens").name == "tokens"


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_a_document_holds_everything_under_its_name(kind):
    made, settings = TOKENIZERS[kind]
    document = made(VOCABULARY, **settings).to_dict()
    common = {"schema_version": 1, "kind": made.kind, "vocabulary": VOCABULARY, "rules": default_rules(RULES[kind])}
    assert {name: document[name] for name in (*common, *settings)} == {**common, **settings}
    assert json.loads(json.dumps(document)) == document


def test_a_file_is_replaced_whole_and_one_that_fails_leaves_the_old_one(tokenizer, tmp_path, monkeypatch):
    path = tmp_path / "tokenizer.json"
    path.write_text("old")
    tokenizer.save(path)
    saved = path.read_text(encoding="utf-8")
    assert saved.count("\n") == len(tokenizer.to_dict()) + 2

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        tokenizer.save(path)
    assert path.read_text(encoding="utf-8") == saved
    assert [file.name for file in tmp_path.iterdir()] == ["tokenizer.json"]


def written(tmp_path, **changes):
    document = {**WordTokenizer(VOCABULARY).to_dict(), **changes}
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({name: value for name, value in document.items() if value != "drop it"}))
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 2}, "`schema_version` must be 1. Received: schema_version=2. A file of a later version"),
        ({"schema_version": "drop it"}, "schema_version=None"),
        (
            {"kind": "sentencepiece"},
            r"`kind` must be one of \['char', 'word', 'wordchar', 'wordpiece'\]. Received: .*'sentencepiece'",
        ),
        ({"kind": "char"}, r"Missing: \[\]. Unknown: \['split', 'punctuation'\]"),
        ({"lowercase": "drop it", "extra": 1}, r"Missing: \['lowercase'\]. Unknown: \['extra'\]"),
        ({"vocabulary": ["a"]}, "must start with the special tokens"),
        ({"vocabulary": None}, "`vocabulary` must be a sequence of strings"),
        ({"add_end": "yes"}, "`add_end` must be True or False"),
        ({"rules": {}}, "`rules` must have 'whitespace'"),
        ({"rules": None}, "`rules` must be a dict"),
        ({"rules": {**default_rules(RULES["word"]), "lower": [[65, 90]]}}, "The rule 'lower' must be"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_what_is_wrong(tmp_path, changes, message):
    path = written(tmp_path, **changes)
    for load in (load_tokenizer, WordTokenizer.load):
        with pytest.raises(ValueError, match=f"tokenizer.json': .*{message}" if "kind" not in changes else message):
            load(path)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b""])
def test_a_file_that_is_no_json_is_named(tmp_path, content):
    (tmp_path / "t.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"t\.json' is no tokenizer: it is not JSON in UTF-8"):
        load_tokenizer(tmp_path / "t.json")
    (tmp_path / "t.json").write_text("[1]")
    with pytest.raises(ValueError, match=r"t\.json': .* must be a JSON object. Received: <class 'list'>"):
        load_tokenizer(tmp_path / "t.json")


def test_a_file_of_another_kind_is_refused_with_the_way_to_load_it(tmp_path):
    CharTokenizer(VOCABULARY).save(tmp_path / "t.json")
    with pytest.raises(ValueError, match=r"WordTokenizer needs .* 'word'. Received: kind='char'. `keras_seq.load_tok"):
        WordTokenizer.load(tmp_path / "t.json")
