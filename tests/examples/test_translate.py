"""The whole demo, on a language of a few words whose order and endings differ."""

import functools
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import translate
from rich.console import Console

from translation.choices import MODELS

EXAMPLES = Path(translate.__file__).parent
SUBJECTS = {"Tom": "Tom", "Mary": "Maria", "the dog": "der Hund", "the child": "das Kind", "nobody": "niemand"}
OBJECTS = {
    "Tom": "Tom",
    "the dog": "den Hund",
    "the cat": "die Katze",
    "a house": "ein Haus",
    "two books": "zwei Bücher",
}
VERBS = {"sees": "sieht", "has": "hat", "wants": "will", "likes": "mag", "hears": "hört"}
TIMES = {"": "", "today ": "heute ", "now ": "jetzt ", "often ": "oft "}
pytestmark = pytest.mark.backend("tensorflow")  # exporting is TensorFlow's


def sentences():
    """All sentences: the time comes first in the one language, and between verb and object in the other."""
    for time, german_time in TIMES.items():
        for subject, german_subject in SUBJECTS.items():
            for verb, german_verb in VERBS.items():
                for thing, german_thing in OBJECTS.items():
                    english = f"{time}{subject} {verb} {thing}."
                    german = f"{german_subject} {german_verb} {german_time}{german_thing}."
                    yield tuple(text[0].upper() + text[1:] for text in (english, german))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """A folder with a training and a dev file; some of the dev sentences have two translations."""
    everything = list(sentences())
    np.random.default_rng(3).shuffle(everything)
    folder = tmp_path_factory.mktemp("pairs")
    dev = [
        pair for index, pair in enumerate(everything[:60]) for pair in [pair, (pair[0], pair[1] + "!")][: 1 + index % 2]
    ]
    for part, chosen in (("train", everything[60:]), ("dev", dev)):
        lines = ("\t".join(pair) + "\n" for pair in chosen)
        (folder / f"toy-{part}.tsv").write_text("english\tgerman\n" + "".join(lines), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def demo(pairs, tmp_path_factory):
    """The exit code, what was printed by either process, and the folder of one run."""
    out = tmp_path_factory.mktemp("out") / "translate"
    console, results = Console(record=True, width=160), []
    run = functools.partial(subprocess.run, capture_output=True, text=True)
    with pytest.MonkeyPatch.context() as patch:
        recorder = SimpleNamespace(run=lambda *a, **k: results.append(run(*a, **k)) or results[-1])
        patch.setattr(translate, "subprocess", recorder)
        arguments = ["--data", str(pairs), "--out", str(out), "--epochs", "14", "--units", "32", "--dropout", "0"]
        code = translate.main([*arguments, "--compare", "plain", "transformer", "--quantize", "fp16"], console)
    assert results[0].stderr == ""
    return code, console.export_text(), results[0].stdout, out


def test_variants_are_judged_by_bleu_the_exported_search(demo):
    searched = re.findall(r"│ beam 4, alpha 0.7 +│ +(\d+\.\d+) ", demo[1])
    rows = re.findall(r"│ generate, bleu +│ +([\d.]+) │ +[\d.]+ │ +([-+][\d.]+)% │", demo[1])
    assert len(rows) == len(MODELS)
    for (before, change), bleu in zip(rows, searched, strict=True):
        assert float(before) == pytest.approx(float(bleu), abs=0.06)  # in Keras, with one digit less
        assert float(change) >= -0.5
    assert len(re.findall(r"│ (?:1|16) sentences, ms +│.*times as fast │", demo[1])) == 2 * len(MODELS)


def serve(*arguments):
    command = [sys.executable, str(EXAMPLES / "serve_translate.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_demo_succeeds_and_tells_each_step(demo):
    code, printed, served, _ = demo
    assert code == 0
    for step in ("Read", "Side by side", "Translate in a new"):
        assert f"\n{step}" in printed
    for step in ("Train", "Judge on held-out sentences", "Whose fault the wrong ones are", "Export and verify"):
        for model in MODELS:
            assert f"\n{step} ({model})" in printed
    assert "440 pairs to learn from, 60 sentences held out, 30 of them with several translations" in printed
    assert "loaded of keras and tensorflow: neither" in served


def test_every_search_is_judged_by_sacrebleu_and_by_length(demo):
    row = r"│ (greedy|beam 4, alpha 0(?:\.7)?) +│ +([\d.]+) │ [\d.]+ │ +([\d.]+) of the"
    names = [name for name, _, _ in re.findall(row, demo[1])]
    assert names == len(MODELS) * ["greedy", "beam 4, alpha 0", "beam 4, alpha 0.7"]
    assert "sacrebleu nrefs:var|case:mixed|eff:no|tok:13a" in demo[1]
    assert re.search(r"1 to 4 +│ +\d+ │", demo[1])


def test_the_models_stand_side_by_side(demo):
    table = demo[1][demo[1].index("\nModels") :].split("└")[0]
    assert re.search(r"┃ +┃ +attention ┃ +plain ┃ +transformer ┃", table)
    rows = {name: cells for name, *cells in re.findall(r"│ ([^│]+?) +│ +(\S+) │ +(\S+) │ +(\S+) │", table)}
    bleu = dict(zip(MODELS, map(float, rows["BLEU, beam 4, alpha 0.7"]), strict=True))
    assert bleu["attention"] > 5 + bleu["plain"]  # attention learns it sooner
    assert bleu["transformer"] > 5 + bleu["plain"]
    for own, exact in zip(bleu.values(), rows["exact, beam 4, alpha 0.7"], strict=True):
        assert re.search(rf"│ beam 4, alpha 0\.7 +│ +{own:.2f} │ +{exact} │", demo[1])
    for parameters in rows["parameters"]:
        assert f"\n{parameters} parameters, " in demo[1]
    assert rows["epochs"] == ["14.0"] * 3
    assert all(int(rate.replace(",", "")) > 0 for rate in rows["bundle, tokens a second"])
    assert re.search(r"words of the source +┃ sentences ┃ attention ┃ +plain ┃ transformer", demo[1])


def test_without_length_normalisation_translations_are_shorter(demo):
    lengths = [float(length) for length in re.findall(r"│ beam 4, alpha 0(?:\.7)? .*│ +([\d.]+) of the", demo[1])][:2]
    assert len(lengths) == 2
    assert lengths[0] < lengths[1]


def test_the_bundle_translates_as_the_model_does(demo):
    """The same sentences, the same search, the same score, in a process without Keras."""
    own, *_ = re.findall(r"│ beam 4, alpha 0\.7 +│ +([\d.]+) │ ([\d.]+) │ +([\d.]+) of", demo[1])
    (served,) = re.findall(r"│ this bundle +│ +([\d.]+) │ ([\d.]+) │ +([\d.]+) of", demo[2])
    assert own == served


def test_the_error_analysis_is_printed_and_written(demo):
    written = (demo[3] / "error_analysis.txt").read_text(encoding="utf-8")
    assert re.match(r"\d+ of 60 outputs right\. Compared by log P\(y\|x\) / T\^0\.7, which the search", written)
    assert written.splitlines()[0] in demo[1]


def test_every_other_model_has_its_own_folder(demo):
    for name in ("plain", "transformer"):
        manifest = json.loads((demo[3] / name / "bundle" / "bundle.json").read_text())
        assert manifest["graphs"]["generate"]["decoding"]["strategy"] == "BeamSearch"
        assert (demo[3] / name / "error_analysis.txt").is_file()


def test_the_heads_of_the_transformer_are_drawn(demo):
    assert (demo[3] / "transformer" / "attention_heads.png").read_bytes().startswith(b"\x89PNG\r\n")
    assert not (demo[3] / "attention_heads.png").exists()
    (drawn,) = re.findall(r"attention_heads\.png: what each head looks at in '(.+)'", demo[1].replace("\n", " "))
    assert drawn[0].isupper()
    assert drawn[-1] == "."


def test_the_search_is_inside_the_bundle_with_everything_that_serving_needs(demo):
    manifest = json.loads((demo[3] / "bundle" / "bundle.json").read_text())
    graph = manifest["graphs"]["generate"]
    assert graph["decoding"]["strategy"] == "BeamSearch"
    assert graph["decoding"]["banned_ids"] == [3]
    assert {option["name"] for option in graph["options"]} == {"alpha", "max_length"}
    assert "Hund" in manifest["metadata"]["target_words"]
    assert all(row["passed"] for row in manifest["parity"])


def test_sentences_can_be_given_on_the_command_line(demo):
    result = serve(demo[3] / "bundle", "Today the dog sees a house.", "Tom has two books.", "--alpha", "0")
    assert result.returncode == 0, result.stderr
    assert "Today the dog sees a house." in result.stdout
    assert re.search(r"Tom has two books\. +│ \w+.*\.", result.stdout)
    assert "2 sentences translated in" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "Tom."], r"nowhere"),
        (["BUNDLE"], r"there is nothing to translate: give sentences, or a file with --file\."),
        (["BUNDLE", " "], r"needs at least one word or mark\. Received: ' '"),
        (["BUNDLE", "--file", "nowhere.tsv"], r"nowhere\.tsv: cannot be read"),
        (["BUNDLE", "Tom " * 50], r"40"),
        (["BUNDLE", "Tom.", "--alpha", "-1"], r"alpha"),
        (["FOREIGN", "Tom."], r"expected a bundle that translate\.py wrote"),
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
        (["--limit", "0"], "--limit must be at least 1. Received: 0."),
        (["--units", "7"], "--units must be an even number, two directions share them. Received: 7."),
        (["--dropout", "1"], "--dropout must be at least 0 and below 1. Received: 1."),
        (["--model", "plain", "--compare", "plain"], "--compare must name models other than --model, each once."),
        (["--model", "transformer", "--units", "20"], "--units must be a multiple of 8, as the 4 heads"),
        (["--compare", "gru"], "argument --compare: invalid choice: 'gru'"),
        (["--out", "."], "--out must be new or from this program. Received: ., which is neither."),
    ],
)
def test_bad_options_are_told_before_anything_is_read(capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        translate.main(arguments)
    assert message in capsys.readouterr().err


def test_bad_data_ends_the_demo_with_one_line(tmp_path, capsys):
    (tmp_path / "a-train.tsv").write_text("Go. Geh.\n")
    (tmp_path / "a-dev.tsv").write_text("")
    assert translate.main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert re.search(r"a-train\.tsv, line 1: expected a sentence, a tab", capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


def test_the_bundle_takes_texts_and_says_the_same_as_on_words(demo):
    from keras_seq.serving import Generator
    from translation.texts import Texts

    *_, out = demo
    with Generator(out / "attention" / "bundle" if (out / "attention").is_dir() else out / "bundle") as generator:
        texts = Texts.from_metadata(generator.metadata)
        lines = ["Today Tom sees the dog.", "NOBODY has two books", "Mary hears a whale."]
        spoken = generator.generate_text(lines)
        by_words = generator.generate([texts.encode_source(line) for line in lines])
        assert [[one.ids.tolist() for one in row] for row in spoken] == [
            [one.ids.tolist() for one in row] for row in by_words
        ]
        assert spoken[0][0].text == " ".join(texts.target.decode(spoken[0][0].ids))
        assert generator.metadata["examples"]
