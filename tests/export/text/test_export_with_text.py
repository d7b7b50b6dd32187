"""Whole bundles that take texts: what is in them, and that all of it gives the same."""

import json
import shutil

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf

import keras_seq
from keras_seq.export import ParityError, export_model, verify_bundle
from keras_seq.serving import Bundle, Generator, Predictor
from keras_seq.serving.file_spec import FileSpec
from keras_seq.text import CharTokenizer, WordPieceTokenizer, WordTokenizer
from tests.export.graphs import with_random_weights

pytestmark = pytest.mark.backend("tensorflow")

LINES = ["The cat sat on the mat .", "A dog barked at John Smith", "\u00dcber 5 Stra\u00dfen , \u4e2d\u6587"]
WORDS = WordTokenizer.from_lines(LINES)
LETTERS = CharTokenizer.from_lines(LINES, add_start=True, add_end=True)
LABELS = ["O", "PERSON", "PLACE"]
TEXTS = ["John SMITH saw the Cat", "", "a dog ."]
UNITS = 5


def tagger(words, vocabulary_size):
    embedded = keras.layers.Embedding(vocabulary_size, 7, mask_zero=True)(words)
    states = keras_seq.Bidirectional(keras_seq.GRU(UNITS, return_sequences=True))(embedded)
    return keras.layers.Dense(len(LABELS), activation="softmax", name="tags")(states)


def seq2seq():
    made = keras_seq.Seq2Seq(
        keras_seq.GRU(UNITS, return_sequences=True, return_state=True),
        keras_seq.AttentionDecoder(keras_seq.GRUCell(UNITS), keras_seq.BahdanauAttention(3)),
        source_vocabulary_size=WORDS.vocabulary_size,
        target_vocabulary_size=LETTERS.vocabulary_size,
        embedding_dim=7,
    )
    made.build([(None, None), (None, None)])
    return with_random_weights(made)


def run(path, graph="model", **feeds):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path / f"{graph}.onnx", options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    feeds = {name: np.array(value, object) if isinstance(value, list) else value for name, value in feeds.items()}
    return dict(zip(names, session.run(names, feeds), strict=True))


def signature(path, name, **feeds):
    loaded = tf.saved_model.load(path / "saved_model")
    results = loaded.signatures[name](**{name: tf.constant(value) for name, value in feeds.items()})
    return {name: value.numpy() for name, value in results.items()}


def decoded(array):
    return [[value.decode() for value in row] for row in array]


def ids_of(texts, tokenizer=WORDS):
    return tokenizer(texts).numpy()


@pytest.fixture(scope="module")
def tagger_bundle(tmp_path_factory):
    """A model that takes strings itself, with its report."""
    keras.utils.set_random_seed(3)
    text = keras.Input((), dtype="string", name="sentence")
    model = with_random_weights(keras.Model(text, tagger(WORDS(text), WORDS.vocabulary_size), name="tagger"))
    path = tmp_path_factory.mktemp("tagger") / "bundle"
    return model, path, export_model(model, path, labels=LABELS)


def test_a_tagger_of_strings_gives_tokens_and_labels_in_plain_onnxruntime(tagger_bundle):
    model, path, _ = tagger_bundle
    results = run(path, sentence=TEXTS)
    scores = model(tf.constant(TEXTS)).numpy()
    np.testing.assert_allclose(results["tags"], scores, rtol=1e-5, atol=1e-6)
    best = [[LABELS[i] for i in row] for row in scores.argmax(-1)]
    tokens = [text.split() for text in TEXTS]
    assert results["tokens"].tolist() == [row + [""] * (5 - len(row)) for row in tokens]
    assert results["labels"].tolist() == [
        row[: len(words)] + [""] * (5 - len(words)) for row, words in zip(best, tokens, strict=True)
    ]


def test_the_same_file_takes_ids(tagger_bundle):
    _, path, _ = tagger_bundle
    of_texts, of_ids = run(path, sentence=TEXTS), run(path, sentence=[], ids=ids_of(TEXTS))
    assert np.array_equal(of_texts["tags"], of_ids["tags"])
    assert np.array_equal(of_texts["labels"], of_ids["labels"])
    assert of_ids["tokens"][0].tolist() == ["john", "smith", "<unk>", "the", "cat"]


def test_the_saved_model_takes_strings_as_well(tagger_bundle):
    _, path, report = tagger_bundle
    assert report.manifest.saved_model["signatures"] == ["serving_default", "serve_text"]
    results, expected = signature(path, "serve_text", sentence=TEXTS), run(path, sentence=TEXTS)
    np.testing.assert_allclose(results["tags"], expected["tags"], rtol=1e-5, atol=1e-6)
    assert decoded(results["tokens"]) == expected["tokens"].tolist()
    assert decoded(results["labels"]) == expected["labels"].tolist()


def test_what_the_manifest_and_the_report_say(tagger_bundle):
    _, path, report = tagger_bundle
    graph = Bundle.load(path).graph("model")
    assert [spec.name for spec in graph.inputs] == ["ids"]
    assert (graph.inputs[0].maximum, graph.inputs[0].pad_value) == (WORDS.vocabulary_size - 1, 0)
    assert graph.text.inputs == {"sentence": "ids"}
    assert graph.text.outputs == ("tokens", "labels")
    assert report.manifest.labels == {"tags": LABELS}
    assert json.loads((path / "tokenizers/ids.json").read_text("utf-8")) == WORDS.to_dict()
    assert (report.manifest.onnx["opset"], report.manifest.onnx["ir_version"]) == (20, 9)
    assert "takes sentence (strings) or ids; gives tokens, labels" in str(report)
    compared = {(row.candidate, row.output) for row in report.parity}
    assert {("serving", "ids"), ("model.onnx", "ids"), ("model.onnx on texts", "tags")} <= compared


def test_the_runtime_predicts_texts_of_such_a_bundle(tagger_bundle):
    _, path, _ = tagger_bundle
    expected = run(path, sentence=TEXTS)
    with Predictor(path) as predictor:
        answer = predictor.predict_text([TEXTS[0], TEXTS[2]])
        np.testing.assert_allclose(answer["tags"][1], expected["tags"][2, :3], rtol=1e-5, atol=1e-6)
        assert answer["tags.labels"] == [expected["labels"][0].tolist(), expected["labels"][2, :3].tolist()]
        rows = predictor.predict([row[row > 0] for row in ids_of([TEXTS[0], TEXTS[2]])])
        np.testing.assert_allclose(rows["tags"][0], expected["tags"][0], rtol=1e-5, atol=1e-6)


def test_a_single_score_is_the_probability_of_the_second_label(tmp_path):
    texts = keras.Input((), dtype="string", name="review")
    embedded = keras.layers.Embedding(WORDS.vocabulary_size, 5, mask_zero=True)(WORDS(texts))
    score = keras.layers.Dense(1, activation="sigmoid", name="good")(keras_seq.GRU(7)(embedded))
    path = tmp_path / "bundle"
    model = with_random_weights(keras.Model(texts, score))
    logits = np.log(1 / model(tf.constant(TEXTS)).numpy() - 1)
    model.layers[-1].bias.assign_add(np.median(logits, axis=0) + 1e-3)  # so that not all are on one side
    export_model(model, path, labels=["bad", "good"])
    results = run(path, review=TEXTS)
    expected = [["bad", "good"][int(value > 0.5)] for value in results["good"][:, 0]]
    assert results["labels"].tolist() == expected
    assert len(set(expected)) == 2
    saved = tf.saved_model.load(path / "saved_model").signatures["serve_text"](review=tf.constant(TEXTS))
    assert [label.decode() for label in saved["labels"].numpy()] == expected
    with Predictor(path) as predictor:
        assert predictor.predict_text(TEXTS)["good.labels"] == expected


def test_a_bundle_is_verified_with_its_texts(tagger_bundle):
    model, path, _ = tagger_bundle
    assert {"model.onnx on texts", "saved_model:serve_text on texts"} <= {
        row.candidate for row in verify_bundle(path, model)
    }


def test_verification_finds_a_tokenizer_that_was_exchanged(tagger_bundle, tmp_path):
    _, path, _ = tagger_bundle
    other = WordTokenizer([*WORDS.vocabulary[:4], *reversed(WORDS.vocabulary[4:])])
    wrong = tmp_path / "bundle"
    shutil.copytree(path, wrong)
    other.save(wrong / "tokenizers/ids.json")
    manifest = json.loads((wrong / "bundle.json").read_text("utf-8"))
    manifest["files"]["tokenizers/ids.json"] = FileSpec.of(wrong / "tokenizers/ids.json").to_dict()
    (wrong / "bundle.json").write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(
        ParityError, match=r"the text '.*' becomes \[.*\] in the tokenizer of input 'ids', but \[.*\] in model"
    ):
        verify_bundle(wrong)


def test_an_encoder_decoder_from_strings_to_strings(tmp_path):
    model, tokenizers = seq2seq(), {"source": WORDS, "target": LETTERS}
    strategy = keras_seq.BeamSearch(num_beams=3, max_length=7)
    report = export_model(model, tmp_path / "bundle", formats="onnx", generate=strategy, tokenizer=tokenizers)
    results = run(report.path, "generate", text=TEXTS)
    expected = model.generate(ids_of(TEXTS), strategy)
    assert np.array_equal(results["ids"], np.asarray(expected.ids))
    assert results["texts"].tolist() == [LETTERS.decode(rows) for rows in results["ids"]]
    taught = run(report.path, source_text=TEXTS[:1], target_text=["at"])
    assert taught["tokens"].tolist() == [["<start>", "a", "t"]]
    assert taught[next(iter(taught))].shape == (1, 3, LETTERS.vocabulary_size)
    with Generator(report.path) as generator:
        ((best, *_),) = generator.generate_text(TEXTS[:1])
        assert best.text == results["texts"][0, 0]


@pytest.mark.parametrize("make", ["recurrent", "transformer"])
def test_a_language_model_goes_on_with_strings(make, tmp_path):
    if make == "recurrent":
        model = keras_seq.LanguageModel(features=7, units=UNITS, tokenizer=LETTERS)
    else:
        model = keras_seq.TransformerLM(features=8, num_heads=2, feed_forward_units=5, num_layers=1, tokenizer=LETTERS)
    model.build((None, None))
    with_random_weights(model)
    strategy = keras_seq.Sampling(max_length=11, seed=5)
    formats = ("onnx", "saved_model") if make == "recurrent" else "onnx"
    report = export_model(model, tmp_path / "bundle", formats=formats, generate=strategy, verify=False)
    results = run(report.path, "generate", text=["The c", ""])
    expected = model.generate(["The c", ""], strategy)
    assert np.array_equal(results["ids"], np.asarray(expected.ids))
    assert results["texts"].tolist() == [[LETTERS.decode(row[0])] for row in results["ids"]]
    assert run(report.path, text=["at"])["tokens"].tolist() == [["<start>", "a", "t"]]
    if make == "recurrent":
        options = {
            option.name: np.asarray(option.default, option.dtype)
            for option in report.manifest.graphs["generate"].options
        }
        written = signature(report.path, "generate_text", text=["The c", ""], **options)
        assert decoded(written["texts"]) == results["texts"].tolist()


@pytest.mark.parametrize("why", ["portable", "word pieces"])
def test_graphs_that_take_ids_alone_and_say_so(why, tmp_path):
    tokenizer = WORDS if why == "portable" else WordPieceTokenizer.from_lines(LINES * 3, max_size=80)
    words = keras.Input((None,), dtype="int32", name="words")
    model = with_random_weights(keras.Model(words, tagger(words, tokenizer.vocabulary_size)))
    report = export_model(
        model, tmp_path / "bundle", formats="onnx", tokenizer=tokenizer, labels=LABELS, portable=why == "portable"
    )
    graph = report.manifest.graphs["model"]
    assert "tokenizers/words.json for 'words', whose graphs take ids alone: " in str(report)
    if why == "portable":
        assert graph.text is None
        assert report.manifest.onnx["opset"] == 18
    else:
        assert (graph.text.inputs, graph.text.outputs) == ({}, ("labels",))
        ids = ids_of(TEXTS[:1], tokenizer)
        results = run(report.path, words=ids)
        assert results["labels"].tolist() == [[LABELS[i] for i in results["tags"][0].argmax(-1)]]
    with Predictor(report.path) as predictor:
        assert [len(row) for row in predictor.predict_text(TEXTS[::2])["tags.labels"]] == [
            len(row) for row in tokenizer.encode(TEXTS[::2])
        ]
