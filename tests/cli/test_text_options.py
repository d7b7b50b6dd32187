"""`--tokenizer` and `--labels` of `export`."""

import json

import pytest

from keras_seq.cli.errors import CommandError
from keras_seq.cli.text_options import read_labels, read_tokenizers
from tests.cli.conftest import TAGS, VOCABULARY
from tests.serving.toy_text import SPECIAL, document

WORDS = [*SPECIAL, *(f"w{i}" for i in range(VOCABULARY - 4))]
RULES = {"whitespace": [[32, 32]], "punctuation": [[33, 33]], "lower": [[65, 90, 1, 32]]}


@pytest.fixture
def tokenizer_path(tmp_path):
    rules = {name: RULES[name] for name in ("whitespace", "punctuation", "lower")}
    path = tmp_path / "words.json"
    path.write_text(json.dumps(document(vocabulary=WORDS, lowercase=True, rules=rules)))
    return path


def test_a_bundle_of_texts_is_exported_and_answers(keras_seq_command, model_path, tokenizer_path, tmp_path):
    (tmp_path / "labels.json").write_text('["A", "B", "C"]')
    done = keras_seq_command(
        *("export", model_path, tmp_path / "out", "--formats", "onnx", "--no-verify", "--json"),
        *("--tokenizer", f"words={tokenizer_path}", "--labels", tmp_path / "labels.json"),
    )
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert (list(found["tokenizers"]), found["labels"]) == (["words"], {"tags": ["A", "B", "C"]})
    answer = json.loads(keras_seq_command("predict", tmp_path / "out", "--text", "W3 other w5!", "--json").out)
    assert answer["tokens"] == ["W3", "other", "w5", "!"]
    assert len(answer["tags.labels"]) == 4


def test_what_does_not_suit_the_model_is_said_in_options(keras_seq_command, model_path, tokenizer_path, tmp_path):
    (tmp_path / "labels.json").write_text('["A", "B"]')
    done = keras_seq_command("export", model_path, tmp_path / "out", "--labels", tmp_path / "labels.json")
    assert (done.code, done.out) == (2, "")
    assert (
        f"--labels must have one label for each class of output 'tags', which is float32 (batch, time, {TAGS})"
        in done.err
    )
    tokenizer_path.write_text(json.dumps(document(rules=RULES)))
    done = keras_seq_command("export", model_path, tmp_path / "out", "--tokenizer", tokenizer_path)
    assert (done.code, done.out) == (2, "")
    assert "the tokenizer of input 'words' has a vocabulary of 11" in done.err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["nowhere.json"], "--tokenizer nowhere.json cannot be read: No such file or directory"),
        (["{}", "{}"], "is one too many"),
        (["words={}", "words={}"], "is one too many"),
        (["{}", "words={}"], "--tokenizer takes one FILE for all inputs, or NAME=FILE for each of them. Received both"),
    ],
)
def test_tokenizers_must_go_together(tokenizer_path, given, message):
    with pytest.raises(CommandError, match=message):
        read_tokenizers([text.format(tokenizer_path) for text in given])


def test_tokenizers_by_name_or_for_all(tokenizer_path):
    assert read_tokenizers([]) is None
    assert read_tokenizers([str(tokenizer_path)]).vocabulary == tuple(WORDS)
    assert list(read_tokenizers([f"a={tokenizer_path}", f"b={tokenizer_path}"])) == ["a", "b"]


@pytest.mark.parametrize("data", [b"{}", b"[1, 2]", b'{"kind": "word"}', b"\xff"])
def test_a_file_that_is_no_tokenizer_is_named(tmp_path, data):
    (tmp_path / "x.json").write_bytes(data)
    with pytest.raises(CommandError, match=r"--tokenizer .*x.json: "):
        read_tokenizers([str(tmp_path / "x.json")])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[]", r"must hold a JSON list of strings, .* It holds: \[\]"),
        (b"{}", "must hold a JSON list of strings"),
        (b'["A", 3]', "must hold a JSON list of strings"),
        (b'{"tags": "A"}', "must hold a JSON list of strings"),
        (b'["A"', "is not JSON"),
        (b"\xff", "is not JSON"),
    ],
)
def test_a_file_without_labels_is_named(tmp_path, data, message):
    (tmp_path / "labels.json").write_bytes(data)
    with pytest.raises(CommandError, match=f"--labels .*labels.json {message}"):
        read_labels(tmp_path / "labels.json")


def test_labels_of_one_output_or_of_each(tmp_path):
    assert read_labels(None) is None
    for value in (["A", "B"], {"tags": ["A"], "mood": ["x", "y"]}):
        (tmp_path / "labels.json").write_text(json.dumps(value))
        assert read_labels(tmp_path / "labels.json") == value
    with pytest.raises(CommandError, match=r"--labels .*nowhere.json cannot be read: No such file"):
        read_labels(tmp_path / "nowhere.json")
