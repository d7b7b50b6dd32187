"""The whole demo, on two languages."""

import functools
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import dates
import pytest
from rich.console import Console

from date_reading.table import Row, read_rows, write_rows

EXAMPLES = Path(dates.__file__).parent
pytestmark = pytest.mark.backend("tensorflow")  # exporting is TensorFlow's


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The exit code, what was printed by either process, and the folder of one run."""
    out = tmp_path_factory.mktemp("out") / "dates"
    console = Console(record=True, width=120)
    with pytest.MonkeyPatch.context() as patch:
        few = functools.partial(dates.load_dates, held_out=80, languages=["de", "en-US"])
        patch.setattr(dates, "load_dates", few)
        results = []
        run = functools.partial(subprocess.run, capture_output=True, text=True)
        recorder = SimpleNamespace(run=lambda *a, **k: results.append(run(*a, **k)) or results[-1])
        patch.setattr(dates, "subprocess", recorder)
        sizes = ["--examples", "1500", "--epochs", "4", "--units", "32"]
        code = dates.main(["--out", str(out), *sizes, "--quantize", "fp16"], console)
    assert results[0].stderr == ""
    return code, console.export_text(), results[0].stdout, out


def serve(*arguments):
    command = [sys.executable, str(EXAMPLES / "serve_dates.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_demo_succeeds_and_tells_each_step(demo):
    code, printed, served, _ = demo
    assert code == 0
    for step in ("Read", "Train", "Export and verify", "Read dates in a new process"):
        assert f"\n{step}" in printed
    assert "none of which is learnt from in any language" in re.sub(r"\s+", " ", printed)
    assert re.search(r"epoch 4: loss \d\.\d+, held-out loss \d\.\d+, held-out exact \d\.\d+", printed)
    assert re.search(r"new dates +│ +80 │", served)
    assert "loaded of keras and tensorflow: neither" in served


def test_training_learns(demo):
    losses = [float(loss) for loss in re.findall(r"held-out loss (\d\.\d+)", demo[1])]
    assert len(losses) == 4
    assert losses[-1] < 0.85 * losses[0]


def test_the_search_is_inside_the_bundle_with_everything_that_serving_needs(demo):
    manifest = json.loads((demo[3] / "bundle" / "bundle.json").read_text())
    assert manifest["graphs"]["generate"]["decoding"]["strategy"] == "BeamSearch"
    assert manifest["graphs"]["generate"]["operators"]["Loop"] == 1
    assert manifest["graphs"]["generate"]["limits"] == {"time": dates.MAX_SOURCE_LENGTH}
    assert "[en-US]" in manifest["metadata"]["source_tokens"]
    assert manifest["parity"]
    assert all(row["passed"] for row in manifest["parity"])


def test_the_variant_is_judged_by_the_dates_it_reads(demo):
    manifest = json.loads((demo[3] / "bundle" / "bundle.json").read_text())
    (score,) = manifest["quantization"]["fp16"]["metrics"]
    right, total = re.search(r"new dates +│ +(80) │ +(\d+) │", demo[2]).groups()[::-1]
    assert (score["graph"], score["metric"]) == ("generate", "dates_right")
    assert score["before"] == int(right) / int(total)  # as the other process counts
    assert re.search(r"│ generate, dates_right +│ +[\d.]+ │ +[\d.]+ │ +[-+][\d.]+% │", demo[1])
    assert re.search(r"│ 32 dates, ms +│.*times as fast │", demo[1])


def test_the_picture_is_drawn_and_the_held_out_dates_are_written(demo):
    assert (demo[3] / "attention.png").read_bytes().startswith(b"\x89PNG")
    rows = read_rows(demo[3] / "held_out.tsv")
    assert {row.group for row in rows} == {"new dates", "new dates in new formats"}
    assert f"{len(rows) + 4:,} dates read in" in demo[2]  # and the four that it always shows


def test_dates_can_be_given_on_the_command_line(demo):
    result = serve(demo[3] / "bundle", "de:4. Mai 2021", "en-US:May 4, 2021")
    assert result.returncode == 0, result.stderr
    assert "4. Mai 2021" in result.stdout
    assert "2 dates read in" in result.stdout


def test_what_is_right_is_counted_by_the_last_digit(demo, tmp_path):
    """Dates whose meaning is set to what the bundle reads, but for one."""
    import serve_dates

    from generating.vocabulary import Vocabulary
    from keras_seq.serving import Generator

    texts = ["4. Mai 2021", "Dienstag, 29. Februar 2000", "01.12.1931"]
    with Generator(demo[3] / "bundle") as generator:
        source, target = (Vocabulary(generator.metadata[f"{name}_tokens"]) for name in ("source", "target"))
        found = generator.generate([source.encode(serve_dates.source_tokens("de", text)) for text in texts])
    read = ["".join(target.decode(hypotheses[0].ids)) for hypotheses in found]
    rows = [Row("de", text, iso, "mine") for text, iso in zip(texts, [*read[:2], "1931-12-32"], strict=True)]
    write_rows(tmp_path / "mine.tsv", rows)
    result = serve(demo[3] / "bundle", "--file", tmp_path / "mine.tsv")
    assert re.search(r"mine +│ +3 │ +2 │ 0\.6667", result.stdout)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "de:4. Mai"], r"nowhere"),
        (["BUNDLE", "4. Mai"], r"LANGUAGE:TEXT, such as .* Received: '4\. Mai'"),
        (["BUNDLE", "tlh:4. Mai"], r"the reader knows the languages de, en-US\. Received: 'tlh'"),
        (["BUNDLE", "--file", "nowhere.tsv"], r"nowhere\.tsv: cannot be read"),
        (["BUNDLE", "de:" + "4" * 70], r"64"),
        (["FOREIGN", "de:4. Mai"], r"expected a bundle that dates\.py wrote"),
    ],
)
def test_serving_refuses_bad_input_with_one_line(demo, tmp_path, arguments, message):
    bundle, foreign = demo[3] / "bundle", tmp_path / "foreign"
    shutil.copytree(bundle, foreign)
    manifest = json.loads((foreign / "bundle.json").read_text())
    (foreign / "bundle.json").write_text(json.dumps(manifest | {"metadata": {}}))
    places = {"BUNDLE": bundle, "FOREIGN": foreign}
    result = serve(*(places.get(argument, argument) for argument in arguments))
    assert result.returncode == 2
    assert re.search(message, result.stderr)
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "--epochs must be at least 1. Received: 0."),
        (["--seconds", "0.5"], "--seconds must be at least 1. Received: 0.5."),
        (["--units", "7"], "--units must be an even number, two directions share them. Received: 7."),
        (["--out", "."], "--out must be new or from this program. Received: ., which is neither."),
    ],
)
def test_bad_options_are_told_before_anything_is_read(capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        dates.main(arguments)
    assert message in capsys.readouterr().err


def test_an_export_that_differs_ends_the_demo_with_1(monkeypatch, tmp_path, capsys):
    import generating.training
    import keras_seq.export

    def differ(*_, **__):
        raise keras_seq.export.ParityError("dates differ", [])

    monkeypatch.setattr(generating.training, "train", lambda *_, **__: None)
    monkeypatch.setattr(keras_seq.export, "export_model", differ)
    monkeypatch.setattr(dates, "load_dates", functools.partial(dates.load_dates, held_out=8, languages=["de"]))
    arguments = ["--out", str(tmp_path / "out"), "--examples", "64", "--epochs", "1", "--units", "4"]
    assert dates.main(arguments) == 1
    assert "dates differ" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
