"""`tokenizer=` and `labels=`: what they are refused for, and what every input is read by."""

from dataclasses import replace

import keras
import pytest

import keras_seq
from keras_seq.export import ExportError, export_model
from keras_seq.export.endpoint import Endpoint
from keras_seq.export.generation import generation_of
from keras_seq.export.lowering.trace import StreamState
from keras_seq.export.signature import model_signature
from keras_seq.export.text.text_plan import text_plan
from keras_seq.text import CharTokenizer, WordTokenizer
from tests.export.text.graphs import SPECIAL

pytestmark = pytest.mark.backend("tensorflow")

WORDS = WordTokenizer([*SPECIAL, "the", "cat", "sat"], add_start=True, add_end=True)
LETTERS = CharTokenizer([*SPECIAL, *"abcdefg"], add_end=True)


def tagger(vocabulary=7, inputs=("words",), outputs=("tags",), length=None):
    """Ids in, three tags a step out."""
    given = [keras.Input((length,), dtype="int32", name=name) for name in inputs]
    embedded = [keras.layers.Embedding(vocabulary, 2)(tensor) for tensor in given]
    joined = embedded[0] if len(embedded) == 1 else keras.layers.Add()(embedded)
    return keras.Model(given, [keras.layers.Dense(3, name=name)(joined) for name in outputs], name="tagger")


def seq2seq():
    decoder = keras_seq.AttentionDecoder(keras_seq.GRUCell(3))
    made = keras_seq.Seq2Seq(
        keras_seq.GRU(3, return_state=True),
        decoder,
        source_vocabulary_size=7,
        target_vocabulary_size=11,
        embedding_dim=2,
    )
    made.build([(None, None), (None, None)])
    return made


def language_model(**kwargs):
    made = keras_seq.TransformerLM(
        vocabulary_size=11, features=4, num_heads=2, feed_forward_units=3, num_layers=1, **kwargs
    )
    made.build()
    return made


def plan_of(model, tokenizer=None, labels=None, generates=True):
    strategy = keras_seq.Greedy(max_length=3)
    generation = generation_of(model, strategy) if generates else None
    return text_plan(model, model_signature(model), generation, tokenizer, labels, {})


def frames(plan):
    return {
        name: (reading.tokenizer, reading.framing.add_start, reading.framing.add_end)
        for name, reading in plan.readings.items()
    }


def test_each_input_of_an_encoder_decoder_is_read_by_its_own_tokenizer():
    plan = plan_of(seq2seq(), {"source": WORDS, "target": LETTERS})
    # What is read one step late has a start and no end, whatever the tokenizer says.
    assert frames(plan) == {"source": (WORDS, True, True), "target": (LETTERS, True, False)}
    assert plan.written.tokenizer is LETTERS


@pytest.mark.parametrize("given", [LETTERS, {"ids": LETTERS}, {"prompt": LETTERS}])
def test_a_language_model_is_read_and_written_by_one_tokenizer(given):
    plan = plan_of(language_model(), given)
    # The decode loop puts the start before a prompt itself, and what is to go on has not ended.
    assert frames(plan) == {"ids": (LETTERS, True, False), "prompt": (LETTERS, False, False)}
    assert plan.written.tokenizer is LETTERS


def test_the_tokenizer_of_the_model_is_taken_where_none_is_given():
    plan = plan_of(language_model(tokenizer=LETTERS), generates=False)
    assert frames(plan) == {"ids": (LETTERS, True, False)}
    assert plan.written is None


def test_chunks_of_a_stream_are_ids():
    signature = model_signature(language_model())
    state = StreamState("h", (3,))
    step = Endpoint("step", "step", signature.inputs, (), lambda trace: None, states=(state,))
    assert not plan_of(language_model(), LETTERS).of(step)
    assert plan_of(language_model(), LETTERS).of(replace(step, states=()))


def test_a_source_without_tokenizer_leaves_texts_to_come_out():
    plan = plan_of(seq2seq(), {"target": LETTERS})
    assert set(plan.readings) == {"target"}
    assert plan.written.tokenizer is LETTERS


@pytest.mark.parametrize(
    ("make", "tokenizer", "message"),
    [
        (tagger, {"word": WORDS}, r"`tokenizer` names inputs \['word'\] that the model lacks\. It has: \['words'\]"),
        (tagger, "words", r"`tokenizer` must be a tokenizer of keras_seq.*Received: 'words' of type str"),
        (tagger, {"words": 3}, r"`tokenizer\['words'\]` must be a tokenizer"),
        (lambda: tagger(9), WORDS, r"'words' has a vocabulary of 7, but the model has embeddings for 9 ids\. Make the"),
        (
            lambda: tagger(length=13),
            {"words": WORDS},
            r"'words', which takes int32 \(batch, 13\).*keras.Input\(\(None,\)",
        ),
        (lambda: tagger(length=13), WORDS, r"`tokenizer` has nothing to read: no input of model 'tagger' is of ids"),
        (seq2seq, {"target": WORDS}, r"'target' has a vocabulary of 7, but the model has embeddings for 11"),
        (seq2seq, LETTERS, r"'source' has a vocabulary of 11, but the model has embeddings for 7"),
    ],
)
def test_tokenizers_that_do_not_suit_are_refused(make, tokenizer, message, tmp_path):
    with pytest.raises(ExportError, match=message):
        export_model(make(), tmp_path / "bundle", tokenizer=tokenizer)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("outputs", "labels", "message"),
    [
        (
            ["tags"],
            ["O", "B"],
            r"one label for each class of output 'tags', which is float32 \(batch, time, 3\).*2 labels",
        ),
        (["tags"], {"tag": list("OBI")}, r"`labels` names outputs \['tag'\] that the model lacks\. It has: \['tags'\]"),
        (["tags", "more"], list("OBI"), r"`labels` must say of which output they are.*\['tags', 'more'\]"),
        (["tags"], "OBI", r"`labels` must be a list of strings, or one for each output\. Received: 'OBI'"),
        (["tags"], [], r"`labels` must be a list of strings"),
        (["tags"], ["O", "", "I"], r"`labels` must be strings that are not empty\. Received: ''"),
        (["tags"], {"tags": [1, 2, 3]}, r"`labels` must be strings that are not empty\. Received: 1"),
    ],
)
def test_labels_that_do_not_suit_are_refused(outputs, labels, message, tmp_path):
    with pytest.raises(ExportError, match=message):
        export_model(tagger(outputs=outputs), tmp_path / "bundle", labels=labels)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", [{"tokenizer": WORDS}, {"labels": list("OBI")}])
def test_runtimes_that_do_not_know_the_opset_are_refused(text, tmp_path):
    with pytest.raises(
        ExportError, match=r"graphs with strings are written at opset 20.*since 1\.17.*'1\.16'.*without"
    ):
        export_model(tagger(), tmp_path / "bundle", min_onnxruntime="1.16", **text)


def test_ids_of_generation_must_be_the_tokenizers(tmp_path):
    model = language_model(end_id=5)
    with pytest.raises(ExportError, match=r"start_id, end_id = \(11, 1, 2\), but model .* has \(11, 1, 5\)"):
        export_model(model, tmp_path / "bundle", tokenizer=LETTERS, generate=keras_seq.Greedy(max_length=3))
