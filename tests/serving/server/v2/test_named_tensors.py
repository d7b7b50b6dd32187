"""How the protocol names what goes in and comes out."""

import numpy as np
import pytest

from keras_seq.serving import InputError, TensorSpec
from keras_seq.serving.server import Signature
from keras_seq.serving.server.v2.named_tensors import NamedTensor, input_tensors, output_names, output_tensors, texts_of

QUESTION, CONTEXT = (TensorSpec(name, "int32", ("batch", name)) for name in ("question", "context"))
LENGTH = TensorSpec("length", "float16", ("batch", 3))
ANSWER = TensorSpec("answer", "float32", ("batch", "question", 7))
KIND = TensorSpec("kind", "int64", ("batch",))


def signature(**changes):
    values = {
        "name": "m.text",
        "graph": "model",
        "takes_text": True,
        "inputs": (QUESTION, CONTEXT, LENGTH),
        "outputs": (ANSWER, KIND),
        "text_inputs": ("question", "context"),
        "labels": ("answer", "kind"),
    }
    return Signature(**{**values, **changes})


def test_numbers_keep_their_names():
    plain = signature(takes_text=False)
    assert input_tensors(plain)[1:] == [
        NamedTensor("context", "INT32", (-1, -1)),
        NamedTensor("length", "FP16", (-1, 3)),
    ]
    assert output_names(plain) == ["answer", "kind"]


def test_several_texts_keep_the_names_of_their_inputs():
    assert input_tensors(signature()) == [
        NamedTensor("question", "BYTES", (-1,)),
        NamedTensor("context", "BYTES", (-1,)),
        NamedTensor("length", "FP16", (-1, 3)),
    ]
    assert output_tensors(signature())[2:] == [
        NamedTensor("question.tokens", "BYTES", (-1, -1)),
        NamedTensor("context.tokens", "BYTES", (-1, -1)),
        NamedTensor("answer.labels", "BYTES", (-1, -1)),
        NamedTensor("kind.labels", "BYTES", (-1,)),
    ]


def test_a_single_text_is_called_text_unless_something_else_is():
    one = signature(inputs=(QUESTION, LENGTH), text_inputs=("question",))
    assert [tensor.name for tensor in input_tensors(one)] == ["text", "length"]
    assert output_names(one)[2] == "tokens"
    taken = signature(inputs=(QUESTION, TensorSpec("text", "int32", ("batch",))), text_inputs=("question",))
    assert [tensor.name for tensor in input_tensors(taken)] == ["question", "text"]
    gives = signature(
        inputs=(QUESTION,), text_inputs=("question",), outputs=(TensorSpec("tokens", "int8", ("batch",)),)
    )
    assert output_names(gives) == ["tokens", "question.tokens"]


def test_texts_go_to_the_inputs_that_they_are_for():
    one = signature(inputs=(QUESTION, LENGTH), text_inputs=("question",))
    lengths = np.zeros((2, 3))
    values = texts_of({"length": lengths, "text": np.array(["a", "b"], object)}, one)
    assert values == {"length": lengths, "question": ["a", "b"]}
    texts = {name: np.array([name], object) for name in ("context", "question")}
    values = texts_of({**texts, "length": lengths}, signature())
    assert values == {"question": ["question"], "context": ["context"], "length": lengths}


def test_one_text_is_enough_for_inputs_that_share_their_steps():
    both = signature(inputs=(QUESTION, CONTEXT), one_text=True)
    assert input_tensors(both) == [NamedTensor("text", "BYTES", (-1,))]
    assert output_names(both) == ["answer", "kind", "tokens", "answer.labels", "kind.labels"]
    assert texts_of({"text": np.array(["a", "b"], object)}, both) == ["a", "b"]


def test_names_are_compared_before_texts_are_read():
    with pytest.raises(
        InputError, match=r"\(unknown: 'text'; missing: 'question', 'context', 'length'\). Valid names:"
    ):
        texts_of({"text": np.array(["a"], object)}, signature())
