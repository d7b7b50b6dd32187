"""The whole demo on texts small enough to be learnt in seconds, and whose label follows from the order of words."""

import functools
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import sentiment
from rich.console import Console

from keras_seq.embeddings import WordVectors

EXAMPLES = Path(sentiment.__file__).parent


def snippets(seed, count):
    """`good , not bad` is for, `bad , not good` against: counts of words are the same."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        label = int(random.integers(2))
        words = [random.choice(["good", "fine", "great"]), random.choice(["bad", "dull", "poor"])]
        said, denied = words if label else words[::-1]
        start = random.choice(["the film is", "a story that is", "it is", "this one seems"])
        yield label, f"{start} {said} , not {denied} {random.choice(['.', '!', 'at all .'])}"


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reviews")
    for part, seed, count in (("train", 1, 400), ("dev", 2, 61)):
        lines = (f"{label}\t{text}\n" for label, text in snippets(seed, count))
        (folder / f"toy-{part}.tsv").write_text("label\ttext\n" + "".join(lines), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def demo(reviews, tmp_path_factory):
    """The exit code, what was printed by either process, and the bundle of one run."""
    from classifying import training

    out = tmp_path_factory.mktemp("out") / "sentiment"
    console, results = Console(record=True, width=160), []
    run = functools.partial(subprocess.run, capture_output=True, text=True)
    with pytest.MonkeyPatch.context() as patch:
        recorder = SimpleNamespace(run=lambda *a, **k: results.append(run(*a, **k)) or results[-1])
        patch.setattr(sentiment, "subprocess", recorder)
        patch.setattr(training, "FEWEST_STEPS", 1)
        patch.setattr(training, "LEARNING_RATE", 2e-2)
        arguments = ["--data", str(reviews), "--out", str(out), "--units", "8", "--dropout", "0", "--word-dropout", "0"]
        code = sentiment.main([*arguments, "--epochs", "5", "--vector-epochs", "2", "--shares", "1"], console)
    assert results[0].stderr == ""
    return code, console.export_text(), results[0].stdout, out


def serve(*arguments):
    command = [sys.executable, str(EXAMPLES / "serve_sentiment.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_demo_succeeds_and_tells_each_step(demo):
    code, printed, served, _ = demo
    assert code == 0
    for step in ("Read", "Word vectors, without labels", "Train and judge", "Export and verify", "Classify in a new"):
        assert f"\n{step}" in printed
    assert "toy: 400 texts to learn from, 61 held out, 0 without label; negative" in printed
    assert "numbers each, learnt from" in printed
    assert "loaded of keras and tensorflow: neither" in served


def test_what_reads_words_in_their_order_beats_naive_bayes(demo):
    (row,) = re.findall(r"│ +([\d,]+) +│ +([\d.]+) │ +([\d.]+) │ +([\d.]+) │ +([\d.]+) │", demo[1])
    texts, bayes, _, random, pretrained = map(float, row)
    assert texts == 400
    assert random > 0.9 > 0.75 > bayes
    assert pretrained > 0.9


def test_the_bundle_answers_as_the_model_does_from_strings(demo):
    (own,) = re.findall(r"400 texts, vectors learnt beforehand: ([\d.]+) right", demo[1])
    (served,) = re.findall(r"right: \d+ of 61, ([\d.]+)", demo[2])
    assert own == served
    assert "plain ONNX Runtime, strings into model.onnx: the same labels" in demo[2]
    manifest = json.loads((demo[3] / "bundle.json").read_text())
    assert manifest["labels"] == {"label": ["negative", "positive"]}
    assert manifest["layers"][0]["lowering"] == "native"
    assert all(row["passed"] for row in manifest["parity"])


def test_texts_can_be_given_on_the_command_line(demo):
    result = serve(demo[3], "The film is GREAT, not dull [at all].", "it is poor , not fine .", "")
    assert result.returncode == 0, result.stderr
    assert re.search(r"GREAT, not dull \[at all\]\. +│ positive", result.stdout)
    assert re.search(r"it is poor , not fine \. +│ negative", result.stdout)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "fine"], r"nowhere"),
        (["BUNDLE"], r"there is nothing to classify: give texts, or a file with --file\."),
        (["BUNDLE", "--file", "nowhere.tsv"], r"nowhere\.tsv: cannot be read"),
    ],
)
def test_serving_refuses_bad_input_with_one_line(demo, arguments, message):
    result = serve(*(demo[3] if argument == "BUNDLE" else argument for argument in arguments))
    assert result.returncode == 2
    assert re.search(message, result.stderr)
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "--epochs must be at least 1. Received: 0."),
        (["--vector-epochs", "0"], "--vector-epochs must be at least 1. Received: 0."),
        (["--dropout", "1"], "--dropout must be at least 0 and below 1. Received: 1."),
        (["--word-dropout", "-1"], "--word-dropout must be at least 0 and below 1. Received: -1."),
        (["--shares", "0.5", "2"], "--shares must be above 0 and at most 1. Received: 2."),
        (["--out", "."], "--out must be a new folder or a bundle. Received: ., which is neither."),
    ],
)
def test_bad_options_are_told_before_anything_is_read(capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        sentiment.main(arguments)
    assert message in capsys.readouterr().err


def test_bad_data_and_bad_vectors_end_the_demo_with_one_line(reviews, tmp_path, capsys):
    quiet = Console(quiet=True)
    assert sentiment.main(["--data", str(tmp_path), "--out", str(tmp_path / "out")], quiet) == 2
    assert "expected a folder with a file *-train.tsv" in capsys.readouterr().err
    vectors = tmp_path / "vectors.txt"
    WordVectors(["good", "bad"], [[1, 2], [3, 4]]).save(vectors)
    vectors.write_text(vectors.read_text() + "dull 5\n")
    arguments = ["--data", str(reviews), "--vectors", str(vectors), "--out", str(tmp_path / "out")]
    assert sentiment.main(arguments, quiet) == 2
    assert re.search(
        r"--vectors: .*vectors\.txt, line 4: expected no more, line 1 says 2 words", capsys.readouterr().err
    )
    assert not (tmp_path / "out").exists()
