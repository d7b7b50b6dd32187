import io
import json

import numpy as np
import pytest

from keras_seq.serving import Predictor

ROWS = [[4, 8, 15, 16], [22, 3]]


@pytest.fixture
def expected(bundle_path):
    """The answers of the runtime, row by row."""
    with Predictor(bundle_path) as predictor:
        return predictor.predict({"words": ROWS})["tags"]


@pytest.fixture
def pipe(monkeypatch):
    """Puts bytes into stdin."""

    def feed(data: bytes):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))

    return feed


@pytest.fixture
def ragged_npz(tmp_path):
    path = tmp_path / "rows.npz"
    np.savez(path, **{"words": np.concatenate(ROWS), "words.lengths": [len(row) for row in ROWS]})
    return path


def _same(received, expected):
    assert len(received) == len(expected)
    for row, wanted in zip(received, expected, strict=True):
        np.testing.assert_allclose(np.array(row), wanted, atol=1e-6)


@pytest.mark.parametrize("document", [{"words": ROWS}, ROWS])
def test_json_from_stdin_to_json_on_stdout(keras_seq_command, bundle_path, pipe, expected, document):
    pipe(json.dumps(document).encode())
    done = keras_seq_command("predict", bundle_path, "--json")
    assert (done.code, done.err) == (0, "")
    answer = json.loads(done.out)
    assert list(answer) == ["tags"]
    _same(answer["tags"], expected)


def test_npz_holds_rows_end_to_end_with_their_lengths(keras_seq_command, bundle_path, ragged_npz, expected, tmp_path):
    done = keras_seq_command("predict", bundle_path, "-i", ragged_npz, "-o", tmp_path / "answer.npz", "--json")
    assert json.loads(done.out) == {"path": str(tmp_path / "answer.npz"), "outputs": ["tags"]}
    with np.load(tmp_path / "answer.npz") as answer:
        assert answer["tags.lengths"].tolist() == [4, 2]
        _same(np.split(answer["tags"], [4]), expected)


def test_npz_from_stdin_is_recognised(keras_seq_command, bundle_path, ragged_npz, pipe, expected):
    pipe(ragged_npz.read_bytes())
    _same(json.loads(keras_seq_command("predict", bundle_path, "--json").out)["tags"], expected)


def test_an_array_stays_an_array(keras_seq_command, bundle_path, tmp_path):
    words = np.array([[4, 8, 15], [16, 0, 0]], "int32")
    np.savez(tmp_path / "words.npz", words=words)
    done = keras_seq_command("predict", bundle_path, "-i", tmp_path / "words.npz", "-o", tmp_path / "answer.npz")
    assert done.code == 0, done.err
    with np.load(tmp_path / "answer.npz") as answer, Predictor(bundle_path) as predictor:
        assert answer.files == ["tags"]
        np.testing.assert_allclose(answer["tags"], predictor.predict(words)["tags"], atol=1e-6)


def test_json_file_to_json_file(keras_seq_command, bundle_path, expected, tmp_path):
    (tmp_path / "rows.json").write_text(json.dumps({"words": ROWS}))
    done = keras_seq_command("predict", bundle_path, "-i", tmp_path / "rows.json", "-o", tmp_path / "answer.json")
    assert (done.code, done.err) == (0, "")
    assert "2 rows of 4, 2" in done.out
    _same(json.loads((tmp_path / "answer.json").read_text())["tags"], expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answer.json", "rows.json"]


def test_a_variant_that_the_bundle_lacks_is_named(keras_seq_command, bundle_path, pipe):
    pipe(json.dumps(ROWS).encode())
    code, _, error = keras_seq_command("predict", str(bundle_path), "--variant", "int4")
    assert code == 2
    assert "has no variant 'int4'. It has: none" in error


def test_the_table_shows_the_values(keras_seq_command, bundle_path, pipe, expected):
    pipe(json.dumps(ROWS).encode())
    out = keras_seq_command("predict", bundle_path).out
    assert "float32 (batch, time, 3)" in out
    assert f"{expected[0][0][0]:.4f}" in out


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"letters": [[1]]}', "(unknown: 'letters'; missing: 'words'). Valid names: 'words'."),
        (b'{"words": [[4, 23]]}', "ids run from 0 to 22, and the one at (0, 1) is 23"),
        (b'{"words": [[4], []]}', "row 1 has length zero"),
        (b'{"words": []}', "the batch is empty"),
        (b'{"words": [["the"]]}', "strings or mixed objects are no numbers"),
        (b'{"words": [[NaN]]}', "float64 is not cast to int32"),
        (b'{"words": 4}', "has 0 dimensions, not 2"),
        (b"[[4, 8]", "stdin is neither .npz nor JSON"),
        (b"\xff\xfe", "stdin is neither .npz nor JSON"),
        (b"", "stdin is neither .npz nor JSON"),
        (b'"four"', "must hold a JSON object or list. It holds: four."),
        (b"PK\x03\x04 and no more", "stdin is no file of plain arrays of rows, or it is damaged"),
    ],
)
def test_bad_input_exits_2_with_one_line(keras_seq_command, bundle_path, pipe, data, message):
    pipe(data)
    done = keras_seq_command("predict", bundle_path, "--json")
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert done.err.startswith("keras-seq predict: ")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("lengths", [[4, 1], [7, -1], [4.0, 2.0], [[4, 2]]])
def test_lengths_must_add_up(keras_seq_command, bundle_path, tmp_path, lengths):
    np.savez(tmp_path / "rows.npz", **{"words": np.concatenate(ROWS), "words.lengths": lengths})
    done = keras_seq_command("predict", bundle_path, "-i", tmp_path / "rows.npz")
    assert (done.code, done.out) == (2, "")
    assert "'words.lengths' must be integers that add up to the 6 entries of 'words'" in done.err


def test_pickled_arrays_are_refused(keras_seq_command, bundle_path, tmp_path):
    np.savez(tmp_path / "rows.npz", words=np.array([[4], [8, 15]], dtype=object))
    done = keras_seq_command("predict", bundle_path, "-i", tmp_path / "rows.npz")
    assert (done.code, done.out) == (2, "")
    assert "is no file of plain arrays of rows" in done.err


def test_input_and_output_files_are_checked(keras_seq_command, bundle_path, ragged_npz, tmp_path):
    cases = [
        (["-i", tmp_path / "nowhere.json"], "nowhere.json cannot be read: No such file or directory."),
        (["-i", ragged_npz, "-o", tmp_path / "answer.csv"], "--output takes a file that ends in .npz or .json."),
        (["-i", ragged_npz, "-o", tmp_path / "no" / "answer.npz"], "which is no folder. Give a file in a folder that"),
        (["-i", ragged_npz, "--threads", "0"], "Invalid value for '--threads'"),
    ]
    for options, message in cases:
        done = keras_seq_command("predict", bundle_path, *options)
        assert (done.code, done.out) == (2, "")
        assert message in done.err
    assert list(tmp_path.iterdir()) == [ragged_npz]


def test_nothing_is_half_written_when_the_disk_is_full(
    keras_seq_command, bundle_path, ragged_npz, tmp_path, monkeypatch
):
    def full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    (tmp_path / "answer.npz").write_bytes(b"the last answer")
    monkeypatch.setattr("numpy.savez", full)
    done = keras_seq_command("predict", bundle_path, "-i", ragged_npz, "-o", tmp_path / "answer.npz")
    assert (done.code, done.out) == (2, "")
    assert "cannot be written: No space left on device." in done.err
    assert (tmp_path / "answer.npz").read_bytes() == b"the last answer"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answer.npz", "rows.npz"]


def test_a_terminal_is_not_waited_for(keras_seq_command, bundle_path, pipe, monkeypatch):
    pipe(b"")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    done = keras_seq_command("predict", bundle_path)
    assert done == (2, "", "keras-seq predict: there is nothing to read. Give --input FILE, or pipe JSON into the "
                           "command.\n")  # fmt: skip
