"""Strings around a graph of numbers: one file takes texts or ids."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from keras_seq.export import ExportError
from keras_seq.export.text.graph_text import GraphText
from keras_seq.export.text.joining import join_text
from keras_seq.export.text.label_output import LabelOutput
from keras_seq.export.text.reading import Reading
from keras_seq.export.text.text_input import TextInput
from keras_seq.export.text.tokenizing_parity import tokenizing_part
from keras_seq.serving.tensor_spec import TensorSpec
from keras_seq.text import WordTokenizer
from tests.export.text.graphs import SPECIAL, session

pytestmark = pytest.mark.backend("tensorflow")

WORDS = TensorSpec("words", "int32", ("batch", "time"), maximum=6)
TOKENIZER = WordTokenizer([*SPECIAL, "the", "cat", "sat"])
TAGS = LabelOutput("labels", TensorSpec("scores", "float32", ("batch", "time", 7)), list("PSEUtcs"), "words")


def graph_of_numbers(extra=(), dtype=TensorProto.INT32, ids="words"):
    """One-hot vectors of ids."""
    nodes = [*extra, helper.make_node("Cast", [ids], ["whole"], name="cast", to=TensorProto.INT64)]
    nodes.append(helper.make_node("OneHot", ["whole", "depth", "values"], ["scores"]))
    inputs = [helper.make_tensor_value_info(ids, dtype, ["batch", "time"])]
    outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", "time", 7])]
    constants = [helper.make_tensor("depth", TensorProto.INT64, [1], [7])]
    constants.append(helper.make_tensor("values", TensorProto.FLOAT, [2], [0.0, 1.0]))
    made = helper.make_graph(nodes, "numbers", inputs, outputs, constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def text_of(tokens="tokens", labels=(TAGS,), **framing):
    return GraphText((TextInput("text", WORDS, Reading(TOKENIZER, **framing), tokens),), labels)


def strings(*rows):
    return np.array(rows, object)


def test_one_file_takes_texts_or_ids():
    run = session(join_text(graph_of_numbers(), text_of()))
    assert {value.name: value.type for value in run.get_inputs()} == {"text": "tensor(string)"}
    assert {value.name: value.type for value in run.get_overridable_initializers()} == {"words": "tensor(int32)"}
    assert [value.name for value in run.get_outputs()] == ["scores", "tokens", "labels"]
    scores, tokens, labels = run.run(None, {"text": strings("The CAT ran", "sat", "")})
    assert scores.argmax(-1).tolist() == [[4, 5, 3], [6, 0, 0], [0, 0, 0]]
    assert tokens.tolist() == [["The", "CAT", "ran"], ["sat", "", ""], ["", "", ""]]
    assert labels.tolist() == [["t", "c", "U"], ["s", "", ""], ["", "", ""]]
    same, names, _ = run.run(None, {"text": strings(), "words": scores.argmax(-1).astype("int32")})
    assert np.array_equal(scores, same)
    assert names.tolist() == [["the", "cat", "<unk>"], ["sat", "", ""], ["", "", ""]]


def test_a_text_counts_where_ids_are_given_too():
    run = session(join_text(graph_of_numbers(), text_of()))
    given = {"text": strings("cat"), "words": np.array([[6, 6]], "int32")}
    assert run.run(["tokens"], given)[0].tolist() == [["cat"]]


@pytest.mark.parametrize("dtype", ["int64", "float32"])
def test_ids_of_other_types(dtype):
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    given = TextInput("text", TensorSpec("words", dtype, ("batch", "time")), Reading(TOKENIZER), "tokens")
    run = session(join_text(graph_of_numbers(dtype=kind), GraphText((given,))))
    assert run.run(["scores"], {"text": strings("the cat")})[0].argmax(-1).tolist() == [[4, 5]]
    assert run.run(["tokens"], {"text": strings(), "words": np.array([[6, 0]], dtype)})[0].tolist() == [["sat", ""]]


def test_start_and_end_of_the_input_stand_among_tokens():
    run = session(join_text(graph_of_numbers(), text_of(add_start=True, add_end=True)))
    tokens, labels = run.run(["tokens", "labels"], {"text": strings("cat", "the cat")})
    assert tokens.tolist() == [["<start>", "cat", "<end>", ""], ["<start>", "the", "cat", "<end>"]]
    assert labels.tolist() == [["S", "c", "E", ""], ["S", "t", "c", "E"]]


def test_labels_of_a_graph_without_tokenizer():
    run = session(join_text(graph_of_numbers(), GraphText(labels=(LabelOutput("labels", TAGS.scores, TAGS.labels),))))
    assert [value.name for value in run.get_inputs()] == ["words"]
    assert run.run(["labels"], {"words": np.array([[4, 0]], "int32")})[0].tolist() == [["t", "P"]]


def test_versions_that_the_oldest_runtime_reads():
    joined = join_text(graph_of_numbers(), text_of())
    assert joined.ir_version == 9
    opsets = {entry.domain: entry.version for entry in joined.opset_import}
    assert opsets == {"": 20, "ai.onnx.ml": 4, "com.microsoft": 1}


def test_the_part_that_tokenizes_can_be_cut_out():
    joined = join_text(graph_of_numbers(), text_of())
    part = tokenizing_part(joined, text_of().inputs[0])
    assert {node.op_type for node in part.graph.node} == {"Size", "Cast", "If"}
    ids, tokens = session(part).run(None, {"text": strings("the cat")})
    assert (ids.tolist(), tokens.tolist()) == ([[4, 5]], [["the", "cat"]])


def test_names_that_are_taken_are_refused():
    with pytest.raises(ExportError, match=r"two outputs named 'scores', as the model has \['scores'\].*Rename the mod"):
        join_text(graph_of_numbers(), text_of(tokens="scores"))
    given = TextInput("words", WORDS, Reading(TOKENIZER))
    with pytest.raises(ExportError, match=r"two inputs named 'words'"):
        join_text(graph_of_numbers(), GraphText((given,)))


def test_operators_that_changed_between_the_opsets_are_refused():
    changed = helper.make_node("GridSample", ["a", "b"], ["c"])
    with pytest.raises(ExportError, match=r"holds GridSample, which is another operator at opset 20"):
        join_text(graph_of_numbers(extra=[changed]), text_of())


def test_a_portable_graph_has_no_strings():
    assert text_of().in_onnx(portable=True) is None
    assert text_of().in_onnx(portable=False) == text_of()
    assert GraphText().in_onnx(portable=False) is None


def test_the_graph_of_numbers_is_left_as_it_was_behind_the_choice():
    before = graph_of_numbers()
    joined = join_text(graph_of_numbers(), text_of())
    (node,) = [node for node in joined.graph.node if node.name == "cast"]
    assert list(node.input) == ["words:chosen"]
    assert [t.name for t in before.graph.initializer] == [t.name for t in joined.graph.initializer][:2]
    onnx.checker.check_model(joined, full_check=True)
