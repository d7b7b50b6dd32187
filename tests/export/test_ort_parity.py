"""Files in ONNX Runtime's own format are compared with what they were made of, and a wrong one is found."""

import shutil
from dataclasses import replace

import numpy as np
from onnx import numpy_helper

from keras_seq.export.ort_format import write_ort
from keras_seq.export.ort_parity import verify_ort
from keras_seq.export.parity import Tolerance
from keras_seq.export.verification import verify_folder
from keras_seq.serving import Bundle
from keras_seq.serving.variant_spec import VariantSpec
from tests.export.ort_bundles import GRAPH, small_weights, with_ort, write_float_graph
from tests.serving import conftest as toy


def test_quantised_variants_are_written_and_compared_with_their_onnx_file(tmp_path):
    write_float_graph(tmp_path, *small_weights("float16"))
    shutil.copy(tmp_path / "model.onnx", tmp_path / "model.fp16.onnx")
    graph = replace(GRAPH, variants={"fp16": VariantSpec("model.fp16.onnx", 5, {"MatMul": 3})})
    graphs = write_ort(tmp_path, {"model": graph})
    variants = {name: spec.file for name, spec in graphs["model"].variants.items()}
    assert variants == {"fp16": "model.fp16.onnx", "ort": "model.ort", "fp16.ort": "model.fp16.ort"}
    assert [(row.reference, row.candidate, row.passed) for row in verify_ort(tmp_path, graphs)] == [
        ("model.fp16.onnx", "model.fp16.ort", True)
    ]
    nodes, initializers = small_weights("float16")
    initializers[-1].CopyFrom(numpy_helper.from_array(np.float32(0.0101), "scale"))
    write_float_graph(tmp_path, nodes, initializers, file="model.fp16.onnx")
    assert not verify_ort(tmp_path, graphs)[0].passed


def test_float_files_are_compared_with_the_reference_and_a_wrong_one_is_found(tmp_path):
    right = with_ort(toy._write_bundle(tmp_path / "right"))
    model = Bundle.load(right).manifest.graphs["model"]

    def rows(folder):
        found = verify_folder(folder, model.inputs, model.outputs, [], True, [], None, {}, Tolerance())
        return {(row.reference, row.candidate): row.passed for row in found}

    assert rows(right) == {("model.onnx", "model.ort"): True}
    other = with_ort(toy._write_bundle(tmp_path / "other", seed=2))
    shutil.copy(right / "model.ort", other / "model.ort")
    assert rows(other) == {("model.onnx", "model.ort"): False}
