"""Predictor in JavaScript: answers and refusals are those of Python, in WebAssembly and in ONNX Runtime for Node."""

import json
import shutil

import numpy as np
import onnxruntime
import pytest

from keras_seq.serving import FileSpec, InputError, Predictor
from tests.serving.conftest import FEATURES, VOCABULARY
from tests.serving.server.toy_translator import write_translator
from tests.serving.toy_text import write_spelling_tagger, write_tagger
from tests.serving.web.damage import write_unloadable
from tests.serving.web.node import check, run_tests, write_cases

TEXTS = [["The dog barks!", "it", "", "naïve \U0001f600 DOG\0rains"], ["  ", "x y z"], [b"the caf\xe9", "dog"]]
BACKENDS = pytest.mark.parametrize("ort", ["web", "native"])


def predictor_case(name, path, batches, refused=(), graph="model", variant=None, num_threads=None):
    """What JavaScript is to do with a bundle, and what Python found: batches and refusals are what is asked for."""
    done = {"name": name, "bundle": path, "graph": graph, "variant": variant, "batches": [], "refused": []}
    with Predictor(path, graph=graph, variant=variant, num_threads=num_threads) as predictor:
        for batch in batches:
            done["batches"].append({**batch, "answer": _answer(predictor, batch)})
        for wrong in refused:
            with pytest.raises(InputError) as error:
                _answer(predictor, wrong)
            done["refused"].append({**wrong, "message": str(error.value)})
    return done


def _answer(predictor, asked):
    if "texts" in asked:
        return predictor.predict_text(asked["texts"], asked.get("settings"))
    return predictor.predict(asked["inputs"], asked.get("settings"))


def _tagger_batches(draw, seed):
    """Ragged rows and whole arrays; few different lengths, so that groups of several rows come about."""
    rng = np.random.default_rng(seed)
    for _ in range(6):
        words, shapes = draw(rng, rng.choice([1, 2, 5, 17], size=rng.integers(1, 14)))
        yield {"inputs": {"words": words, "shapes": shapes}}
        words, shapes = draw(rng, [rng.integers(1, 19)] * rng.integers(1, 7))
        yield {"inputs": {"words": np.stack(words), "shapes": np.stack(shapes)}}
        yield {"inputs": {"words": np.stack(words), "shapes": shapes}}


def _wrong_for_the_tagger():
    words, shapes = np.ones((2, 3), "int32"), np.zeros((2, 3, FEATURES), "float32")
    spoilt = shapes.copy()
    spoilt[1, 2, 0] = np.nan
    rows, features = [words[0], words[1][:2]], [shapes[0], shapes[1][:2]]
    yield from (
        {"inputs": inputs}
        for inputs in (
            {"words": words},
            {"words": words, "shape": shapes},
            words,
            {"words": words[0], "shapes": shapes},
            {"words": words[:, :2], "shapes": shapes},
            {"words": words, "shapes": shapes[:, :, :2]},
            {"words": words[:0], "shapes": shapes[:0]},
            {"words": words[:, :0], "shapes": shapes[:, :0]},
            {"words": words.astype("float32"), "shapes": shapes},
            {"words": words * VOCABULARY, "shapes": shapes},
            {"words": -words, "shapes": shapes},
            {"words": words, "shapes": spoilt},
            {"words": words, "shapes": shapes.astype("float64") + 1e300},
            {"words": words.astype("int64") * 2**40, "shapes": shapes},
            {"words": [], "shapes": features},
            {"words": rows, "shapes": features[:1]},
            {"words": rows, "shapes": [features[1], features[0]]},
            {"words": [rows[0], rows[1][:0]], "shapes": features},
            {"words": [rows[0], rows[1] * VOCABULARY], "shapes": features},
            {"words": rows, "shapes": [features[0], features[1][:, :2]]},
            {"words": [words, words], "shapes": features},
            {"words": rows, "shapes": list(spoilt[:, :3])},
            {"words": [["a", "b"], ["c"]], "shapes": features},
        )
    )
    yield {"inputs": {"words": words, "shapes": shapes}, "settings": {"alpha": 1}}


def _decoder_batches():
    rng = np.random.default_rng(5)
    for settings in ({}, {"max_length": 4}, {"alpha": 2}, {"alpha": 0.25, "max_length": 17}):
        rows = [rng.integers(1, 23, size=n).astype("int32") for n in rng.integers(1, 14, size=5)]
        yield {"inputs": rows, "settings": settings}
        yield {"inputs": {"source": np.stack([rows[0], rows[0] % 7 + 1])}, "settings": settings}


def _wrong_for_the_decoder():
    source = np.ones((1, 3), "int32")
    options = ({"max_length": 0}, {"max_length": 18}, {"max_length": 2.5}, {"alpha": -1}, {"beams": 2}, {"alpha": 1e39})
    yield from ({"inputs": source, "settings": settings} for settings in (*options, {"max_length": 2**40}))
    yield {"inputs": np.ones((1, 14), "int32")}
    yield {"inputs": [np.ones(3, "int32"), np.ones(14, "int32")]}
    yield {"texts": ["a text"]}


def _with_ort(path, folder):
    """A copy of a bundle whose graphs are there in ONNX Runtime's own format as well; the exporter takes no part."""
    shutil.copytree(path, folder)
    manifest = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    for graph in manifest["graphs"].values():
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.add_session_config_entry("session.save_model_format", "ORT")
        file = graph["file"].replace(".onnx", ".ort")
        options.optimized_model_filepath = str(folder / file)
        onnxruntime.InferenceSession(folder / graph["file"], options, providers=["CPUExecutionProvider"])
        graph["variants"] = {"ort": {"file": file, "nodes": graph["nodes"], "operators": graph["operators"]}}
        manifest["files"][file] = FileSpec.of(folder / file).to_dict()
    (folder / "bundle.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


@BACKENDS
def test_answers_are_those_of_python(ort, masked_path, unmasked_path, decoder_path, draw, tmp_path, subtests):
    wrong = list(_wrong_for_the_tagger())
    cases = [
        predictor_case("padded", masked_path, _tagger_batches(draw, 1), wrong),
        predictor_case("in groups", unmasked_path, _tagger_batches(draw, 2), wrong[:3]),
        predictor_case(
            "a decoder with options", decoder_path, _decoder_batches(), _wrong_for_the_decoder(), "generate"
        ),
    ]
    decoder = _with_ort(decoder_path, tmp_path / "ort")
    cases.append(predictor_case("options in the other format", decoder, _decoder_batches(), (), "generate", "ort"))
    words, shapes = draw(np.random.default_rng(3), [4, 4, 4])
    alone = {"bundle": masked_path, "words": np.stack(words), "shapes": np.stack(shapes)}
    unloadable = write_unloadable(tmp_path, masked_path)
    folder = write_cases(tmp_path, predictors=cases, alone=alone, unloadable=unloadable)
    check(subtests, run_tests("predictor.test.js", folder, ort=ort))


@BACKENDS
def test_texts_are_answered_as_in_python(ort, tmp_path, subtests):
    batches = [{"texts": texts} for texts in TEXTS]
    plain = write_tagger(tmp_path / "plain", limits={"time": 5})
    strings = write_tagger(tmp_path / "strings", strings=True)
    refused = [{"texts": texts} for texts in (["the dog barks it rains !"], {"word": ["a"]}, [])]
    framed = write_tagger(tmp_path / "framed", add_start=True, add_end=True, max_length=3)
    cases = [
        predictor_case("a tagger", plain, batches, refused),
        predictor_case("start and end", framed, batches),
        predictor_case("a graph of strings", strings, [*batches, {"inputs": [[4, 5, 6], [7]]}]),
        predictor_case(
            "strings in the other format", _with_ort(strings, tmp_path / "ort"), batches, (), "model", "ort"
        ),
        predictor_case("two inputs of one text", write_spelling_tagger(tmp_path / "spelling"), batches),
        predictor_case(
            "two inputs of tokens",
            write_spelling_tagger(tmp_path / "framed_spelling", {"add_end": True}, add_end=True),
            batches,
            [{"texts": {"words": ["a b"], "characters": ["a"]}}],
        ),
        predictor_case(
            "a translator", write_translator(tmp_path / "letters"), [{"texts": ["abc", "d", "xyz"]}], (), "generate"
        ),
    ]
    check(subtests, run_tests("predictor.test.js", write_cases(tmp_path, predictors=cases), ort=ort))
