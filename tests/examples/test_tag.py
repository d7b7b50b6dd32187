"""The whole demo, on a language of six words."""

import functools
import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import tag
from rich.console import Console

from keras_seq.serving import Predictor
from tagging.choices import MODELS
from tagging.conllu import read_conllu

EXAMPLES = Path(tag.__file__).parent
pytestmark = pytest.mark.backend("tensorflow")  # exporting is TensorFlow's


@pytest.fixture(scope="module")
def demo(treebank, tmp_path_factory):
    """The exit code, what was printed and the bundle of one run."""
    out = tmp_path_factory.mktemp("out") / "tagger"
    from tagging import latency

    console = Console(record=True, width=120)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latency, "measure", functools.partial(latency.measure, rounds=1))
        arguments = ["--data", str(treebank), "--out", str(out), "--epochs", "30", "--units", "32"]
        code = tag.main([*arguments, "--compare", "transformer", "--quantize", "int8"], console)
    return code, console.export_text(), out


def serve(*arguments):
    command = [sys.executable, str(EXAMPLES / "serve_tags.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_demo_succeeds_and_tells_each_step(demo):
    code, printed, _ = demo
    assert code == 0
    for step in ("Read", "Side by side", "Tag in a new process"):
        assert f"\n{step}" in printed
    for step in ("Train", "Judge on held-out words", "Export and verify", "Time"):
        for model in MODELS:
            assert f"\n{step} ({model})" in printed
    assert re.search(r"epoch 30 of 30: loss 0\.\d+, accuracy", printed)


def test_the_tagger_beats_the_baseline_where_context_decides(demo):
    both = re.findall(r"met with several labels │ +\d+ │ +([\d.]+) │ +([\d.]+) │", demo[1])
    assert len(both) == len(MODELS)
    for baseline, model in both:
        assert float(model) > 0.98 > 0.9 > float(baseline)


def test_the_variant_stands_beside_the_float_graph(demo):
    accuracies = re.findall(r"all words +│ +[\d,]+ │ +[\d.]+ │ +([\d.]+) │", demo[1])
    rows = re.findall(r"│ model, words_right +│ +([\d.]+) │ +([\d.]+) │ +([-+][\d.]+)% │", demo[1])
    assert [before for before, _, _ in rows] == accuracies  # those of the Keras models
    assert all(float(change) >= -0.5 for _, _, change in rows)
    assert len(re.findall(r"│ (?:1|32) x 20 words, ms +│.*times as fast │", demo[1])) == 2 * len(MODELS)
    with Predictor(demo[2], variant="int8") as predictor:
        assert predictor.predict_text(["Ann to run"])["tags.labels"] == [["PROPN", "PART", "VERB"]]


def test_the_models_stand_side_by_side(demo):
    table = demo[1][demo[1].index("\nModels") :].split("└")[0]
    assert re.search(r"┃ +┃ +lstm ┃ +transformer ┃", table)
    rows = {name: cells for name, *cells in re.findall(r"│ ([^│]+?) +│ +([\d.,]+)[ ms]* │ +([\d.,]+)[ ms]* │", table)}
    assert all(float(accuracy) > 0.98 for accuracy in rows["accuracy, all words"])
    for parameters, seconds in zip(rows["parameters"], rows["training"], strict=True):
        assert f"\n{parameters} parameters, {seconds} s" in demo[1]
    assert {"bundle, 1 x 20 words", "bundle, 32 x 20 words"} < rows.keys()


def test_each_model_has_a_bundle_of_its_own(demo):
    operators = [
        json.loads((folder / "bundle.json").read_text())["graphs"]["model"]["operators"]
        for folder in (demo[2], demo[2].with_name(f"{demo[2].name}_transformer"))
    ]
    assert ["LSTM" in every for every in operators] == [True, False]


def test_the_bundle_has_native_nodes_and_everything_that_serving_needs(demo):
    manifest = json.loads((demo[2] / "bundle.json").read_text())
    assert manifest["graphs"]["model"]["operators"]["LSTM"] == 1
    assert "Loop" not in manifest["graphs"]["model"]["operators"]
    assert [entry["pad_value"] for entry in manifest["graphs"]["model"]["inputs"]] == [0, 0]
    assert manifest["metadata"]["task"] == "conllu"
    assert "The dog barks at the mail carrier." in manifest["metadata"]["examples"]
    assert manifest["labels"] == {"tags": ["DET", "NOUN", "PART", "PROPN", "VERB"]}
    assert set(manifest["tokenizers"]) == {"words", "characters"}
    assert all(row["passed"] for row in manifest["parity"])


def test_every_way_to_run_the_model_gives_the_same(demo):
    rows = re.findall(r"(this bundle|Keras[^│]*?) +│.*│ +(\de[-+]\d+) │", demo[1])
    assert len(rows) == 4 * len(MODELS)
    assert all(float(difference) < 1e-5 for _, difference in rows)


def test_serving_loads_neither_keras_nor_tensorflow(demo, treebank):
    result = serve(demo[2], treebank / "toy-dev.conllu", "--rows", 2)
    assert result.returncode == 0, result.stderr
    assert "loaded of keras and tensorflow: neither" in result.stdout
    right, total = re.search(r"right: (\d+) of (\d+)", result.stdout).groups()
    assert int(right) > 0.99 * int(total)


def test_serving_tags_plain_text(demo, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("the run\n\nto run the walk\n")
    result = serve(demo[2], text)
    assert "the/DET  run/NOUN" in result.stdout
    assert "to/PART  run/VERB  the/DET  walk/NOUN" in result.stdout


def test_the_bundle_alone_tags_plain_text(demo):
    with Predictor(demo[2]) as predictor:
        answer = predictor.predict_text(["Ann to run, the RUN!", ""])
        alone = predictor.predict_text(["Ann to run, the RUN!"])
    assert answer["tokens"] == [["Ann", "to", "run", ",", "the", "RUN", "!"], []]
    labels = dict(zip(answer["tokens"][0], answer["tags.labels"][0], strict=True))
    assert (labels["Ann"], labels["to"], labels["run"], labels["the"]) == ("PROPN", "PART", "VERB", "DET")
    assert answer["tags.labels"] == [*alone["tags.labels"], []]


def test_serving_answers_the_same_whatever_else_is_in_the_batch_and_whoever_cut_the_words(demo, treebank):
    import serve_tags

    sentences = read_conllu(treebank / "toy-dev.conllu")
    with Predictor(demo[2]) as predictor:
        together = serve_tags.tag(predictor, sentences)
        alone = [serve_tags.tag(predictor, [sentence])[0] for sentence in sentences]
        lines = serve_tags.tag_lines(predictor, [" ".join(sentence.words) for sentence in sentences])
    assert together == alone == lines[1]
    assert [sentence.words for sentence in lines[0]] == [sentence.words for sentence in sentences]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "nothing.txt"], r"nowhere"),
        (["BUNDLE", "nothing.txt"], r"nothing\.txt: cannot be read"),
        (["FOREIGN", "nothing.txt"], r"expected a bundle that tag\.py wrote"),
    ],
)
def test_serving_refuses_bad_input_with_one_line(demo, tmp_path, arguments, message):
    foreign = tmp_path / "foreign"
    shutil.copytree(demo[2], foreign)
    manifest = json.loads((foreign / "bundle.json").read_text())
    (foreign / "bundle.json").write_text(json.dumps(manifest | {"metadata": {}}))
    places = {"BUNDLE": demo[2], "FOREIGN": foreign}
    result = serve(*(places.get(argument, argument) for argument in arguments))
    assert result.returncode == 2
    assert re.search(message, result.stderr)
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "--epochs must be at least 1. Received: 0."),
        (["--tag", "nowhere.py"], "--tag must name a file. Received: nowhere.py"),
        (["--out", "."], "--out must be a new folder or a bundle. Received: ., which is neither."),
        (["--compare", "lstm"], "--compare must name models other than --model, each once. Received: lstm lstm."),
        (
            ["--model", "transformer", "--units", "17"],
            "--units must be a multiple of 8, twice the transformer's heads.",
        ),
    ],
)
def test_bad_options_are_told_before_anything_is_read(capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        tag.main(arguments)
    assert message in capsys.readouterr().err


def test_bad_data_ends_the_demo_with_one_line(tmp_path, capsys):
    (tmp_path / "a-train.conllu").write_text("1 x NOUN")
    (tmp_path / "a-dev.conllu").write_text("")
    assert tag.main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert re.search(r"a-train\.conllu, line 1: a word needs 10 columns", capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


def test_an_export_that_differs_ends_the_demo_with_1(monkeypatch, treebank, tmp_path, capsys):
    import keras_seq.export
    from tagging import experiment

    def differ(*_, **__):
        raise keras_seq.export.ParityError("tags differ", [])

    monkeypatch.setattr(experiment, "export_model", differ)
    arguments = [
        "--data",
        str(treebank),
        "--out",
        str(tmp_path / "out"),
        "--epochs",
        "1",
        "--units",
        "5",
        "--limit",
        "99",
    ]
    assert tag.main(arguments) == 1
    assert "tags differ" in capsys.readouterr().err


def test_an_interrupt_leaves_one_line_and_nothing_on_disk(treebank, tmp_path):
    command = [sys.executable, str(EXAMPLES / "tag.py"), "--data", str(treebank), "--out", str(tmp_path / "out")]
    # A shell lets the programs that it runs in the background ignore interrupts, and theirs inherit that.
    heed = "import os, signal, sys; signal.signal(2, signal.SIG_DFL); os.execv(sys.executable, sys.argv[1:])"
    command = [sys.executable, "-c", heed, *command, "--epochs", "999", "--units", "5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        for line in demo.stdout:
            if "epoch 1 of" in line:
                break
        demo.send_signal(signal.SIGINT)
        _, errors = demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert errors.splitlines() == ["Interrupted: nothing was left half written."]
    assert list(tmp_path.iterdir()) == []
