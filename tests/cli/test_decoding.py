"""`inspect`, `predict` and `bench` on a graph that decodes, with options and limits."""

import io
import json

import numpy as np
import pytest

from tests.serving.toy_decoder import BEAMS, LIMIT, decode

ROWS = [[4, 8, 15, 16], [22, 3]]
GENERATE = ("--graph", "generate")


@pytest.fixture
def rows_in(monkeypatch):
    """Puts `ROWS` into stdin."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(ROWS).encode())))


def test_inspect_shows_options_limits_and_the_search(keras_seq_command, decoder_path):
    done = keras_seq_command("inspect", decoder_path)
    assert (done.code, done.err) == (0, "")
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert f"input source int32 (batch, time) ids 0 to 22, padded with 0, time up to {LIMIT}" in lines
    assert "option max_length int32 11 unless given, from 1 to 17" in lines
    assert "option alpha float32 0.5 unless given, at least 0.0" in lines
    assert f"decoding: strategy beam_search, num_beams {BEAMS}, start_id 1, end_id 2" in lines
    assert any(line.startswith("decoder AttentionDecoder decode_loop") for line in lines)


@pytest.mark.usefixtures("rows_in")
def test_predict_gives_each_row_its_hypotheses(keras_seq_command, decoder_path):
    done = keras_seq_command(
        "predict", decoder_path, *GENERATE, "--option", "alpha=0.6", "--option", "max_length=5", "--json"
    )
    assert (done.code, done.err) == (0, "")
    answer = json.loads(done.out)
    for i, row in enumerate(ROWS):
        for name, expected in decode(np.array(row), max_length=5, alpha=0.6).items():
            np.testing.assert_allclose(np.array(answer[name][i]), expected, rtol=1e-6)


@pytest.mark.usefixtures("rows_in")
def test_in_npz_hypotheses_lie_end_to_end_filled_up_with_zeros(keras_seq_command, decoder_path, tmp_path):
    done = keras_seq_command("predict", decoder_path, *GENERATE, "-o", tmp_path / "answer.npz")
    assert (done.code, done.err) == (0, "")
    assert "2 rows of 3×6, 3×4" in done.out
    assert "2 rows of 3, 3" in done.out
    with np.load(tmp_path / "answer.npz") as answer:
        assert answer["ids.lengths"].tolist() == [3, 3]
        assert answer["ids"].shape == (6, 6)
        assert answer["alignments"].shape == (6, 6, 4)
        for rows, source in ((slice(3), ROWS[0]), (slice(3, 6), ROWS[1])):
            expected = decode(np.array(source))
            width = expected["ids"].shape[1]
            np.testing.assert_array_equal(answer["ids"][rows, :width], expected["ids"])
            assert not answer["ids"][rows, width:].any()
            np.testing.assert_array_equal(answer["finished"][rows], expected["finished"])


@pytest.mark.usefixtures("rows_in")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*GENERATE, "--option", "alpha"], "--option takes NAME=VALUE with a number, true or false, as alpha=0.6."),
        ([*GENERATE, "--option", "=1"], "Received: =1."),
        ([*GENERATE, "--option", "alpha=[1]"], "Received: alpha=[1]."),
        ([*GENERATE, "--option", "alpha=1", "--option", "alpha=2"], "--option alpha is given twice."),
        ([*GENERATE, "--option", "beam=1"], "The graph has no option 'beam'. Valid names: 'max_length', 'alpha'."),
        ([*GENERATE, "--option", "alpha=NaN"], "Option 'alpha' must be a finite number. Received: nan."),
        ([*GENERATE, "--option", "max_length=18"], "Option 'max_length' must be from 1 to 17. Received: 18."),
        ([], "has no graph 'model'. It has: 'generate'. Give --graph generate."),
    ],
)
def test_wrong_options_exit_2_with_one_line(keras_seq_command, decoder_path, arguments, message):
    done = keras_seq_command("predict", decoder_path, *arguments)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert done.err.count("\n") == 1


def test_bench_times_the_graph_with_sources_no_longer_than_it_takes(keras_seq_command, decoder_path):
    done = keras_seq_command(
        "bench", decoder_path, *GENERATE, "--rounds", "1", "--batch", "2", "--time", "3,50,60", "--json"
    )
    assert done.code == 0, done.err
    found = json.loads(done.out)
    names = ["bundle, Predictor", "bundle, plain onnxruntime"]
    assert [(row["name"], row["time"]) for row in found["results"]] == [(name, n) for n in (3, LIMIT) for name in names]
    assert all(row["max_abs_diff"] == 0 for row in found["results"])
    assert found["left_out"] == []


def test_a_keras_model_is_no_opponent_of_another_graph(keras_seq_command, bundle_path, model_path):
    done = keras_seq_command("bench", bundle_path, "--model", model_path, "--graph", "step")
    assert (done.code, done.out) == (2, "")
    assert "--model is compared with the graph model only. Leave --model or --graph step out." in done.err
