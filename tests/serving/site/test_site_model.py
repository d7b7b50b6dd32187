"""What the site has of a bundle: no file too many, and a manifest that checks."""

import json
import shutil

import pytest

from keras_seq.serving import Bundle, BundleError, FileSpec
from keras_seq.serving.site.site_model import SiteModel
from tests.serving.server.text_models import DECODING, OPTIONS
from tests.serving.server.toy_translator import write_translator
from tests.serving.toy_decoder import write_decoder
from tests.serving.toy_text import MOODS, TAGS, document, write_language_model, write_tagger


def add_variants(folder, names, graph="model"):
    """Puts copies of a graph beside it, as its variants."""
    path = folder / "bundle.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    entry = manifest["graphs"][graph]
    entry["variants"] = {}
    for name in names:
        file = f"{graph}.{name}" if name.endswith("ort") else f"{graph}.{name}.onnx"
        shutil.copy(folder / entry["file"], folder / file)
        manifest["files"][file] = FileSpec.of(folder / file).to_dict()
        entry["variants"][name] = {"file": file, "nodes": 3, "operators": {"Gather": 2, "ReduceSum": 1}}
    path.write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def written(model, folder):
    """The copy, checked file by file, and the names of its files."""
    model.write(folder)
    bundle = Bundle.load(folder)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert files == sorted([*bundle.manifest.files, "bundle.json"])
    return bundle, files


def test_a_copy_has_what_the_page_needs_and_checks(tmp_path):
    source = write_tagger(tmp_path / "tagger")
    manifest = json.loads((source / "bundle.json").read_text(encoding="utf-8"))
    (source / "saved_model").mkdir()
    (source / "saved_model" / "part").write_text("not for browsers")
    manifest["saved_model"] = {"path": "saved_model", "signatures": ["serving_default"]}
    manifest["files"]["saved_model/part"] = FileSpec.of(source / "saved_model" / "part").to_dict()
    row = {"reference": "keras", "candidate": "model.onnx", "output": "tags", "cases": 3, "max_abs_diff": 0.0}
    manifest["parity"] = [row | {"max_rel_diff": 0.0, "atol": 0.0, "rtol": 0.0, "passed": True}]
    (source / "bundle.json").write_text(json.dumps(manifest), encoding="utf-8")
    bundle, files = written(SiteModel.read("tagger", source), tmp_path / "copy")
    assert files == ["bundle.json", "model.onnx", "tokenizers/words.json"]
    assert bundle.manifest.saved_model is None
    assert bundle.manifest.labels == {"tags": TAGS, "mood": MOODS}


def test_what_writes_token_by_token_keeps_its_step(tmp_path):
    source = write_language_model(tmp_path / "story", DECODING, OPTIONS, document())
    _, files = written(SiteModel.read("story", source), tmp_path / "copy")
    assert files == ["bundle.json", "generate.onnx", "step.onnx", "tokenizers/prompt.json"]
    beams = {**DECODING, "strategy": "BeamSearch"}
    source = write_language_model(tmp_path / "beams", beams, OPTIONS, document())
    _, files = written(SiteModel.read("beams", source), tmp_path / "other")
    assert files == ["bundle.json", "generate.onnx", "tokenizers/prompt.json"]


def test_tokenizers_of_both_sides_of_a_translator_are_kept(tmp_path):
    model = SiteModel.read("letters", write_translator(tmp_path / "letters", metadata={"examples": ["ab", 3]}))
    _, files = written(model, tmp_path / "copy")
    assert files == ["bundle.json", "generate.onnx", "tokenizers/source.json", "tokenizers/target.json"]
    entry = model.entry()
    assert entry["card"]["examples"] == ["ab"]
    assert entry["routes"]["translate"] == {"graph": "generate", "inputs": ["source"], "end_id": 2}
    assert [task["task"] for task in entry["card"]["tasks"]] == list(entry["routes"])


def test_visitors_may_choose_the_graph_itself_and_what_is_quantised(tmp_path):
    source = add_variants(write_tagger(tmp_path / "tagger"), ["int8", "ort", "int8.ort"])
    model = SiteModel.read("tagger", source)
    assert model.variants == ("float", "int8")
    bundle, files = written(model, tmp_path / "copy")
    assert files == ["bundle.json", "model.int8.onnx", "model.onnx", "tokenizers/words.json"]
    assert list(bundle.graph("model").variants) == ["int8"]
    assert model.files_of("int8") == ["bundle.json", "model.int8.onnx", "tokenizers/words.json"]
    sizes = model.entry()["bytes"]
    expected = sum((source / name).stat().st_size for name in ("model.onnx", "tokenizers/words.json"))
    assert sizes == {"float": expected, "int8": expected}


def test_one_variant_alone_takes_the_place_of_the_graph(tmp_path):
    source = add_variants(write_tagger(tmp_path / "tagger"), ["int8", "ort"])
    bundle, files = written(SiteModel.read("tagger", source, ["int8"]), tmp_path / "copy")
    assert files == ["bundle.json", "model.int8.onnx", "tokenizers/words.json"]
    assert bundle.graph("model").file == bundle.graph("model").of_variant("int8").file == "model.int8.onnx"
    model = SiteModel.read("tagger", source, ["ort", "float"])
    assert model.variants == ("ort", "float")
    assert written(model, tmp_path / "other")[1] == [
        "bundle.json", "model.onnx", "model.ort", "tokenizers/words.json"]  # fmt: skip


def test_a_graph_without_the_variant_stays_what_it_is(tmp_path):
    source = write_language_model(tmp_path / "story", DECODING, OPTIONS, document())
    add_variants(source, ["int8"], graph="step")
    model = SiteModel.read("story", source, ["int8"])
    bundle, _ = written(model, tmp_path / "copy")
    files = {name: graph.file for name, graph in bundle.manifest.graphs.items()}
    assert files == {"generate": "generate.onnx", "step": "step.int8.onnx"}
    assert set(files.values()) < set(model.files_of("int8"))


def test_a_variant_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    source = add_variants(write_tagger(tmp_path / "tagger"), ["int8"])
    with pytest.raises(BundleError, match=r"tagger: there is no variant 'fp16'\. The bundle has: 'float', 'int8'\."):
        SiteModel.read("tagger", source, ["float", "fp16"])


def test_numbers_alone_are_listed_and_not_copied(tmp_path):
    model = SiteModel.read("dates", write_decoder(tmp_path / "dates"))
    assert model.manifest is None
    assert model.entry() == {
        "card": {"name": "dates", "version": "1", "versions": ["1"], "examples": [], "tasks": []},
        "routes": {},
        "variants": [],
        "bytes": {},
    }


def test_an_operator_that_browsers_lack_is_named_with_its_bundle(tmp_path):
    import onnx

    source = write_tagger(tmp_path / "tagger")
    graph = onnx.load(source / "model.onnx")
    graph.graph.node[0].domain = "my.own"
    graph.graph.node[0].name = "tagger/lookup/gather"
    onnx.save(graph, source / "model.onnx")
    manifest = json.loads((source / "bundle.json").read_text(encoding="utf-8"))
    manifest["files"]["model.onnx"] = FileSpec.of(source / "model.onnx").to_dict()
    (source / "bundle.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(BundleError, match=r"tagger: graph 'model' needs .*my\.own\.Gather of layer 'tagger/lookup'"):
        SiteModel.read("tagger", source)


def test_a_bundle_that_is_too_new_or_damaged_is_refused(tmp_path):
    source = write_tagger(tmp_path / "tagger")
    (source / "model.onnx").write_bytes(b"something else")
    with pytest.raises(BundleError, match=r"model\.onnx' is truncated"):
        SiteModel.read("tagger", source)
    manifest = json.loads((source / "bundle.json").read_text(encoding="utf-8"))
    (source / "bundle.json").write_text(json.dumps({**manifest, "schema_version": 97}), encoding="utf-8")
    with pytest.raises(BundleError, match=r"schema version 97.*Upgrade keras_seq"):
        SiteModel.read("tagger", source)
