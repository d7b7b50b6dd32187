"""`predict` on texts: tags, hypotheses, streams."""

import io
import json

import numpy as np
import pytest

from keras_seq.serving import Generator, Predictor
from tests.serving.toy_text import document, write_language_model, write_tagger

SAMPLING = {"strategy": "Sampling", "num_samples": 1, "start_id": 1, "end_id": 2}


@pytest.fixture(scope="module")
def tagger_path(tmp_path_factory):
    return write_tagger(tmp_path_factory.mktemp("bundles") / "tagger")


@pytest.fixture(scope="module")
def lm_path(tmp_path_factory):
    options = {"max_length": 7, "temperature": 1.0, "seed": 0}
    return write_language_model(tmp_path_factory.mktemp("bundles") / "lm", SAMPLING, options, document())


@pytest.fixture
def pipe(monkeypatch):
    """Puts bytes into stdin."""
    return lambda data: monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))


def lines_of(out):
    return [" ".join(line.split()) for line in out.splitlines()]


def test_tags_stand_beside_the_tokens(keras_seq_command, tagger_path):
    done = keras_seq_command("predict", tagger_path, "--text", "The dog!", "-t", "a\x1b[1m \U0001f600")
    assert (done.code, done.err) == (0, "")
    with Predictor(tagger_path) as predictor:
        answer = predictor.predict_text(["The dog!", "a\x1b[1m \U0001f600"])
    lines = lines_of(done.out)
    assert f"The dog! {answer['mood.labels'][0]}" in lines
    start = lines.index("token tags")
    assert lines[start - 1] == "The dog!"
    tags = answer["tags.labels"][0]
    assert lines[start + 2 : start + 5] == [f"The {tags[0]}", f"dog {tags[1]}", f"! {tags[2]}"]
    assert "\x1b" not in done.out  # nobody's text takes hold of the terminal
    assert f"a\\x1b[1m {answer['mood.labels'][1]}".replace("[1m ", "[1m \U0001f600 ") in lines


def test_json_is_a_line_a_text(keras_seq_command, tagger_path):
    done = keras_seq_command("predict", tagger_path, "--text", "The dog!", "--text", "", "--json")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["text"] for row in rows] == ["The dog!", ""]
    assert [row["tokens"] for row in rows] == [["The", "dog", "!"], []]
    assert list(rows[0]) == ["text", "tags", "mood", "tokens", "tags.labels", "mood.labels"]
    assert np.shape(rows[0]["tags"]) == (3, 5)
    assert isinstance(rows[0]["mood.labels"], str)


@pytest.mark.parametrize("data", [b"the dog\nit rains!\n", b"\xef\xbb\xbfthe dog\r\nit rains!"])
@pytest.mark.parametrize("from_stdin", [False, True])
def test_a_file_holds_a_text_a_line(keras_seq_command, tagger_path, tmp_path, pipe, data, from_stdin):
    (tmp_path / "lines.txt").write_bytes(data)
    pipe(data)
    done = keras_seq_command(
        "predict", tagger_path, "--text-file", "-" if from_stdin else tmp_path / "lines.txt", "--json"
    )
    assert [json.loads(line)["text"] for line in done.out.splitlines()] == ["the dog", "it rains!"]


def test_an_empty_line_is_an_empty_text_and_no_utf_8_is_replaced(keras_seq_command, tagger_path, pipe):
    pipe(b"a\n\ncaf\xe9\xe2\x80\xa8b\n")
    done = keras_seq_command("predict", tagger_path, "--text-file", "-", "--json")
    assert [json.loads(line)["text"] for line in done.out.splitlines()] == ["a", "", "caf\ufffd\u2028b"]


def test_the_answer_may_go_into_a_file(keras_seq_command, tagger_path, tmp_path):
    done = keras_seq_command("predict", tagger_path, "--text", "The dog!", "-o", tmp_path / "answer.json")
    assert done == (0, f"{tmp_path / 'answer.json'}: 1 text\n", "")
    [row] = json.loads((tmp_path / "answer.json").read_text())
    assert row["tokens"] == ["The", "dog", "!"]
    done = keras_seq_command("predict", tagger_path, "--text", "a", "--text", "b", "-o", tmp_path / "b.json", "--json")
    assert json.loads(done.out) == {"path": str(tmp_path / "b.json"), "texts": 2}


def test_numbers_without_labels_are_shown(keras_seq_command, tmp_path):
    path = write_tagger(tmp_path / "tagger")
    manifest = json.loads((path / "bundle.json").read_text(encoding="utf-8"))
    del manifest["labels"]
    (path / "bundle.json").write_text(json.dumps(manifest))
    out = keras_seq_command("predict", path, "--text", "The dog!").out
    with Predictor(path) as predictor:
        tags = predictor.predict_text(["The dog!"])["tags"][0]
    assert "The dog !" in lines_of(out)
    assert f"{tags[0][0]:.4f}" in out


def test_a_bundle_that_generates_does_so(keras_seq_command, lm_path):
    done = keras_seq_command("predict", lm_path, "--text", "it rains", "--json")
    assert json.loads(done.out) == {
        "text": "it rains",
        "hypotheses": [{"text": "the dog", "score": -1.5, "finished": True, "ids": [4, 5, 2]}],
    }
    lines = lines_of(keras_seq_command("predict", lm_path, "--text", "it rains", "--text", "").out)
    assert lines[lines.index("it rains") + 3] == "-1.500 the dog"
    assert "(no text)" in lines


def test_texts_are_streamed(keras_seq_command, lm_path):
    options = ("--option", "seed=3", "--option", "max_length=6")
    done = keras_seq_command("predict", lm_path, "--stream", "--text", "the dog", "--text", "it", *options)
    with Generator(lm_path) as generator:
        tokens = [list(generator.stream(prompt, seed=3, max_length=6)) for prompt in ("the dog", "it")]
    first, second = ("".join(token.text for token in found) for found in tokens)
    assert done == (0, f"the dog{first}\nit{second}\n", "")
    done = keras_seq_command("predict", lm_path, "--stream", "--text", "the dog", "--text", "it", *options, "--json")
    assert [json.loads(line) for line in done.out.splitlines()] == [
        {"prompt": i, "id": token.id, "text": token.text, "log_prob": token.log_prob}
        for i, found in enumerate(tokens)
        for token in found
    ]


def test_without_a_text_a_stream_begins_by_itself(keras_seq_command, lm_path, pipe):
    pipe(b"not read")
    done = keras_seq_command("predict", lm_path, "--stream")
    with Generator(lm_path) as generator:
        assert done == (0, "".join(token.text for token in generator.stream("")) + "\n", "")


def test_a_reader_that_has_seen_enough_ends_the_stream(keras_seq_command, lm_path, monkeypatch):
    written = []

    def write(text):
        written.append(text)
        if len(written) == 3:
            raise BrokenPipeError

    from keras_seq.cli import text_answers

    monkeypatch.setattr(text_answers, "_write", write)
    monkeypatch.setattr("os.dup2", lambda *_: None)
    assert keras_seq_command("predict", lm_path, "--stream", "--text", "the dog", "--option", "seed=1").code == 141
    assert len(written) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--text", "a", "--text-file", "x.txt"], "--text and --text-file are two ways to say the same. Leave one of"),
        (["--text", "a", "--input", "x.json"], "--input takes arrays, --text and --text-file take texts. Give one of"),
        (["--text-file", "nowhere.txt"], "--text-file nowhere.txt cannot be read: No such file or directory."),
        (["--text-file", "-"], "stdin is empty. Give one text a line."),
        (
            ["--text", "a", "-o", "answer.npz"],
            "--output for texts takes a file that ends in .json. Received: answer.npz.",
        ),
        (["--stream", "-o", "answer.json"], "--stream prints texts as they come. Leave --output or --stream out."),
        (["--stream", "-i", "x.json"], "--stream goes on with texts, not with arrays."),
        (["--text", "a", "--graph", "nowhere"], "has no graph 'nowhere'. It has: 'generate', 'step'."),
        (["--text", "zebra"], "text 0 has nothing that the model knows"),
        (["--stream", "--text", "zebra"], "text 0 has nothing that the model knows"),
        (
            ["--stream", "--option", "top_k=3"],
            "has no option 'top_k'. Valid names: 'max_length', 'temperature', 'seed'.",
        ),
    ],
)
def test_bad_input_exits_2_with_one_line(keras_seq_command, lm_path, pipe, arguments, message):
    pipe(b"")
    done = keras_seq_command("predict", lm_path, *arguments)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert done.err.count("\n") == 1


def test_a_terminal_is_not_waited_for(keras_seq_command, lm_path, pipe, monkeypatch):
    pipe(b"")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    done = keras_seq_command("predict", lm_path, "--text-file", "-")
    assert (done.code, done.out) == (2, "")
    assert "there is nothing to read. Give --text-file FILE, or pipe lines into the command." in done.err


def test_a_bundle_without_tokenizer_says_what_to_do(keras_seq_command, decoder_path):
    done = keras_seq_command("predict", decoder_path, "--text", "a")
    assert (done.code, done.out) == (2, "")
    assert "has no tokenizer, so it takes ids and no texts. Export the model with --tokenizer" in done.err


def test_inspect_shows_tokenizers_labels_and_strings(keras_seq_command, tmp_path):
    path = write_tagger(tmp_path / "tagger", strings=True, add_end=True, max_length=31)
    done = keras_seq_command("inspect", path)
    assert (done.code, done.err) == (0, "")
    lines = lines_of(done.out)
    assert "words Word 11 lowercase, add end, at most 31 tokenizers/words.json" in lines
    assert "tags 5 DET, NOUN, VERB, PUNCT, X" in lines
    assert "input text string (batch,) in place of words" in lines
    assert "output tokens string" in lines
    assert json.loads(keras_seq_command("inspect", path, "--json").out)["labels"]["mood"] == ["calm", "loud", "wet"]
    (path / "tokenizers" / "words.json").unlink()
    assert "words.json cannot be read: No such file" in keras_seq_command("inspect", path).out
