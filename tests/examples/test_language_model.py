"""The whole demo, on a language of a few words."""

import functools
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import language_model
import numpy as np
import pytest
from rich.console import Console

from keras_seq.serving import Predictor

EXAMPLES = Path(language_model.__file__).parent
pytestmark = pytest.mark.backend("tensorflow")  # exporting is TensorFlow's


def sentences(seed, count):
    """Sentences in which what follows "their" and "there" differs."""
    random = np.random.default_rng(seed)
    things, verbs = ["cat", "dog", "house"], ["sits", "was", "is"]
    forms = ["their {0} {1} there", "there {1} their {0}", "their {0} {1}"]
    drawn = (random.choice(forms).format(random.choice(things), random.choice(verbs)) for _ in range(count))
    return "\n\n".join(drawn) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    for part, seed, count in (("train", 1, 400), ("dev", 2, 40)):
        (folder / f"toy-{part}.txt").write_text(sentences(seed, count), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def demo(folder, tmp_path_factory):
    """The exit code, what was printed by either process, and the folder of one run."""
    import keras_seq.export
    from language_modelling import experiment

    out = tmp_path_factory.mktemp("out") / "language_model"
    console, results = Console(record=True, width=120), []
    run = functools.partial(subprocess.run, capture_output=True, text=True, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        recorder = SimpleNamespace(run=lambda *a, **k: results.append(run(*a, **k)) or results[-1])
        patch.setattr(language_model, "subprocess", recorder)
        patch.setattr(experiment, "LENGTHS", {"char": 20})
        patch.setattr(experiment, "train_kitchen_model", functools.partial(experiment.train_kitchen_model, epochs=12))
        # The SavedModel is tested with the exporter, and takes as long as all the rest.
        patch.setattr(experiment, "export_model", functools.partial(keras_seq.export.export_model, formats=("onnx",)))
        model = ["--epochs", "10", "--units", "48", "--batch-size", "16", "--steps", "16", "--learning-rate", "0.01"]
        more = ["--prompt", "their", "--quantize", "int8"]
        code = language_model.main(["--data", str(folder), "--out", str(out), *more, *model], console)
    assert results[0].stderr == ""
    return code, console.export_text(), results[0].stdout, out


def test_the_demo_succeeds_and_tells_each_step(demo):
    code, printed, served, _ = demo
    assert code == 0, served
    steps = ("Read", "Train", "Judge on held-out text", "Choose between words", "Write", "Export and verify")
    for step in (*steps, "Write in a new process"):
        assert f"\n{step}" in printed
    assert "toy-train.txt, judged by toy-dev.txt" in printed
    assert "loaded of keras and tensorflow: neither" in served


def test_the_model_learns_and_stands_beside_the_floors(demo):
    held_out = [float(bits) for bits in re.findall(r"held out (\d\.\d+)", demo[1])]
    assert len(held_out) == 10
    fits = {name: float(bits) for name, bits in re.findall(r"│ (\w[\w ]+?) +│ +([\d.]+) │ +[\d.]+ │", demo[1])}
    assert fits["this model"] == pytest.approx(held_out[-1], abs=2e-3)
    assert fits["trigrams"] < fits["unigrams"]
    assert fits["this model"] < 0.4 * fits["unigrams"]


def test_the_variant_is_judged_by_bits(demo, folder):
    """Recomputed from the float graph's answers: rows of 256 characters, each begun anew."""
    rows = re.findall(r"│ model, negative_bits_per_character +│ +-([\d.]+) │ +-([\d.]+) │", demo[1])
    before, after = map(float, rows[0])
    text = (folder / "toy-dev.txt").read_text(encoding="utf-8")
    with Predictor(demo[3] / "bundle") as predictor:
        (tokenizer,) = predictor.tokenizers.values()
        ids = np.concatenate([[*tokenizer.encode(block)[1:], 2] for block in text.strip().split("\n\n")])
        streams = ids[: len(ids) // 256 * 256].reshape(-1, 256)
        asked = np.concatenate([np.ones_like(streams[:, :1]), np.where(streams == 2, 1, streams)[:, :-1]], axis=1)
        logits = predictor.predict({"ids": asked})["output"]
    exps = np.exp(logits - logits.max(-1, keepdims=True))
    chosen = np.take_along_axis(exps / exps.sum(-1, keepdims=True), streams[..., None], -1)
    assert before == pytest.approx(-np.log2(chosen).mean() * len(ids) / len(text), abs=1e-4)
    assert after == pytest.approx(before, rel=5e-3)
    manifest = json.loads((demo[3] / "bundle" / "bundle.json").read_text())
    assert all("int8" in graph["variants"] for graph in manifest["graphs"].values())


def test_the_model_chooses_among_words_that_sound_alike(demo):
    right = {name: float(share) for name, share in re.findall(r"│ (\w[\w ]+?) +│ (\d\.\d+) │\n", demo[1])}
    assert right["unigrams"] == 0.5
    assert right["this model"] > 0.9
    pear, pair = re.findall(r"│ the apple and (?:pear|pair) salad │ +(\S+) │", demo[1])[:2]
    assert float(pear) > 20 * float(pair)


def test_every_way_to_sample_is_shown(demo):
    for name in ("temperature 0.5", "temperature 1", "temperature 1.5", "top-k 5", "top-p 0.9", "min-p 0.1"):
        assert f"\n{name}: their" in demo[1]


def test_the_bundle_writes_what_keras_writes(demo):
    checks = re.findall(r"streamed as generated: (\S+),\s+as\s+Keras\s+wrote:\s+(\S+)", demo[2])
    assert checks == [("yes", "yes")] * 3
    manifest = json.loads((demo[3] / "bundle" / "bundle.json").read_text())
    assert manifest["graphs"]["generate"]["decoding"]["strategy"] == "Sampling"
    assert manifest["tokenizers"]
    assert all(row["passed"] for row in manifest["parity"])


def serve(*arguments):
    command = [sys.executable, str(EXAMPLES / "serve_language_model.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


def test_prompts_can_be_given_on_the_command_line(demo, tmp_path):
    result = serve(demo[3] / "bundle", "their", "", "--seed", "3", "--temperature", "0.5")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("streamed as generated: yes") == 2

    (tmp_path / "other.json").write_text('[{"prompt": "their", "options": {}, "text": "no such text"}]')
    result = serve(demo[3] / "bundle", "--expect", tmp_path / "other.json")
    assert result.returncode == 1
    assert "as Keras wrote: NO" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "their"], "nowhere"),
        (["BUNDLE"], "there is nothing to write: give prompts"),
        (
            ["BUNDLE", "--expect", "BUNDLE/bundle.json"],
            "expected a list of objects with `prompt`, `options` and `text`",
        ),
    ],
)
def test_serving_refuses_bad_input_with_one_line(demo, capsys, arguments, message):
    import serve_language_model

    bundle = str(demo[3] / "bundle")
    assert serve_language_model.main([argument.replace("BUNDLE", bundle) for argument in arguments]) == 2
    assert message in capsys.readouterr().err


def test_words_are_read_and_a_transformer_is_trained_too(folder):
    from language_modelling.experiment import Experiment
    from language_modelling.texts import load_texts

    sizes = ["--units", "32", "--layers", "1", "--epochs", "1", "--batch-size", "4", "--seconds", "3"]
    options = language_model.parse(["--level", "word", "--model", "transformer", *sizes])
    console = Console(record=True, width=120)
    experiment = Experiment(options, load_texts(folder, options.level), console)
    for step in (experiment.read, experiment.train, experiment.judge):
        step()
    assert re.search(r"│ this model +│ +\d\.\d{3} │ +\d+\.\d │", console.export_text())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "--epochs must be positive. Received: 0."),
        (["--learning-rate", "0"], "--learning-rate must be positive. Received: 0."),
        (["--units", "6"], "--units must be a multiple of 4, vectors have a part of them. Received: 6."),
        (
            ["--units", "24", "--model", "transformer"],
            "--units must be a multiple of 32 for a transformer. Received: 24.",
        ),
        (["--max-words", "4"], "--max-words must be at least 5, four of them are special. Received: 4."),
        (["--dropout", "1"], "--dropout must be at least 0 and below 1. Received: 1."),
        (["--out", "."], "--out must be new or from this program. Received: ., which is neither."),
    ],
)
def test_bad_options_are_told_before_anything_is_read(capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        language_model.main(arguments)
    assert message in capsys.readouterr().err


def test_texts_that_are_not_there_end_the_demo_with_2(capsys, tmp_path):
    assert language_model.main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "expected NAME-train*.txt" in capsys.readouterr().err


def test_an_export_that_differs_ends_the_demo_with_1(monkeypatch, capsys, tmp_path):
    import keras_seq.export
    from language_modelling import experiment

    def differ(*_, **__):
        raise keras_seq.export.ParityError("texts differ", [])

    monkeypatch.setattr(experiment, "export_model", differ)
    for step in ("read", "train", "judge", "choose", "write", "_shipped"):
        monkeypatch.setattr(experiment.Experiment, step, lambda self: None)
    monkeypatch.setattr(experiment.Experiment, "_tried_on", lambda self: experiment.Quantizing())
    monkeypatch.setattr(experiment.Experiment, "model", None, raising=False)
    monkeypatch.setattr(experiment.Experiment, "tokenizer", None, raising=False)
    assert language_model.main(["--out", str(tmp_path / "out")], Console(quiet=True)) == 1
    assert "texts differ" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
