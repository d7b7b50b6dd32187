"""Ids into texts by a graph, against plain Python."""

import numpy as np
import pytest
from onnx import TensorProto

from keras_seq.export.text.detokenizing import detokenize, token_names
from keras_seq.export.text.nodes import Nodes
from tests.export.text.graphs import document, graph

pytestmark = pytest.mark.backend("tensorflow")

WORDS = ["a", "b\u0301", "##c", "\U0001f600", "##", "de", "f"]
DOCUMENTS = {
    "char": document("char", ["a", "b", " ", "\U0001f600", "\0", "\n", "f"]),
    "word": document("word", WORDS),
    "wordpiece": document("wordpiece", WORDS, prefix="##"),
}


def written(tokenizer, ids):
    ids = ids[: ids.index(2)] if 2 in ids else ids
    text = ""
    for token in (tokenizer["vocabulary"][index] for index in ids if index > 1):
        inner = tokenizer["kind"] == "wordpiece" and token.startswith("##") and token != "##"
        glued = tokenizer["kind"] == "char" or inner or not text
        text += ("" if glued else " ") + (token[2:] if inner else token)
    return text


def writing(tokenizer, kind=TensorProto.INT32):
    nodes = Nodes("piece/")
    detokenize(nodes, "ids", tokenizer, "texts")
    dims = ["batch", "hypotheses", "target"]
    made = graph(nodes, [("ids", kind, dims)], [("texts", TensorProto.STRING, dims[:-1])])
    return lambda ids: made.run(None, {"ids": np.asarray(ids)})[0]


@pytest.mark.parametrize("kind", DOCUMENTS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 2), (3, 2, 3), (5, 3, 17), (2, 1, 128), (1, 3, 129)])
def test_what_ids_spell(kind, shape):
    rng = np.random.default_rng(11)
    write = writing(DOCUMENTS[kind])
    for _ in range(3):  # a session keeps its memory, and nothing of old texts may come back
        ids = rng.integers(0, 11, shape).astype("int32")
        ids[(ids == 2) & (rng.random(shape) < 0.8)] = 4
        texts = [[written(DOCUMENTS[kind], row) for row in hypotheses] for hypotheses in ids.tolist()]
        assert write(ids).tolist() == texts


def test_whatever_is_behind_the_end_is_left_out():
    assert writing(DOCUMENTS["word"])(
        np.array([[[1, 4, 0, 9, 2, 4, 2, 5], [2, 4, 4, 4, 4, 4, 4, 4]]], "int32")
    ).tolist() == [["a de", ""]]


def test_ids_of_64_bits():
    assert writing(DOCUMENTS["char"], TensorProto.INT64)(np.array([[[4, 5]]], "int64")).tolist() == [["ab"]]


def test_padding_has_no_name_among_tokens():
    assert token_names(["<pad>", "<start>", "<end>", "<unk>", "a"]) == ["", "<start>", "<end>", "<unk>", "a"]
