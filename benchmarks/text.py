"""How long texts take to become ids, and what strings cost a model: in the exported graph, in Python, in TensorFlow.

    python benchmarks/text.py [--quick] [--rounds N]

The texts are the paragraphs of Python's own documentation topics; a single one is that of median length, of many all
lengths are among them. The vocabulary is their 5000 most frequent words, or all characters. Before anything is timed
all ways must have given the same ids. The model is a tagger: 64 features, a GRU of 64 units each way, 17 labels. Speed
drifts on shared machines, so only the ratios of one run mean something. What is printed at the end are the tables of
docs/text.md.
"""

import argparse
import os
import pydoc_data.topics
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
from timing import markdown_table, measure

import keras_seq
from keras_seq.export import export_model
from keras_seq.export.text.recorded_text import recorded_texts
from keras_seq.export.text.tokenizing_parity import tokenizing_part
from keras_seq.serving import Bundle, Predictor
from keras_seq.serving.text import load_tokenizer
from keras_seq.text import CharTokenizer, WordTokenizer

LABELS = [f"label {i}" for i in range(17)]
KINDS = {
    "words, lower-cased": lambda lines: WordTokenizer.from_lines(lines, max_size=5000),
    "words": lambda lines: WordTokenizer.from_lines(lines, max_size=5000, lowercase=False),
    "characters": CharTokenizer.from_lines,
}


def paragraphs() -> list[str]:
    """The paragraphs of the documentation topics that have at least five words."""
    topics = pydoc_data.topics.topics.values()
    found = (" ".join(paragraph.split()) for topic in topics for paragraph in topic.split("\n\n"))
    return sorted((paragraph for paragraph in found if 5 <= len(paragraph.split()) <= 80), key=len)


def sample(texts: list[str], count: int) -> list[str]:
    """So many texts, from all lengths; of one, the median."""
    return [texts[(2 * i + 1) * len(texts) // (2 * count)] for i in range(count)]


def tagger(tokenizer) -> keras.Model:
    ids = keras.Input((None,), dtype="int32", name="ids")
    embedded = keras.layers.Embedding(tokenizer.vocabulary_size, 64, mask_zero=True)(ids)
    states = keras_seq.Bidirectional(keras_seq.GRU(64, return_sequences=True))(embedded)
    return keras.Model(ids, keras.layers.Dense(len(LABELS), activation="softmax", name="tags")(states))


def session_of(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def padded(rows) -> np.ndarray:
    ids = np.zeros((len(rows), max(map(len, rows))), "int32")
    for row, values in zip(ids, rows, strict=True):
        row[: len(values)] = values
    return ids


def to_ids(tokenizer, path: Path, texts: list[str], rounds: int) -> list[list[str]]:
    """Texts into ids alone: a row of the table for each batch size."""
    (given,) = recorded_texts(Bundle.load(path))["model"].inputs
    part = session_of(tokenizing_part(onnx.load(path / "model.onnx"), given).SerializeToString())
    twin = load_tokenizer(tokenizer.to_dict())
    compiled = tf.function(tokenizer, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    rows = []
    for batch in (1, 64):
        some = sample(texts, batch)
        array = np.array(some, object)
        ways = {
            "graph": lambda array=array: part.run(["ids:chosen"], {"text": array})[0],
            "Python": lambda some=some: padded(twin.encode(some)),
            "TensorFlow": lambda array=array: compiled(tf.constant(array)).numpy(),
        }
        first, *others = (run() for run in ways.values())
        assert all(np.array_equal(first, other) for other in others)
        timings = measure(ways, rounds=rounds, warm_calls=3)
        times = {name: timing.median_seconds / batch * 1e6 for name, timing in timings.items()}
        ratio = timings["Python"].p10_seconds / timings["graph"].p10_seconds
        rows.append([str(batch), *(f"{value:.0f}" for value in times.values()), f"{ratio:.2f}"])
    return rows


def tagging(tokenizer, path: Path, texts: list[str], rounds: int) -> list[list[str]]:
    """What the strings cost a model: on ids, on texts, and through the runtime."""
    with_strings = session_of((path / "model.onnx").read_bytes())
    without = session_of((path.parent / f"{path.name}-ids" / "model.onnx").read_bytes())
    twin = load_tokenizer(tokenizer.to_dict())
    predictor = Predictor(path, num_threads=1)
    none = np.array([], object)
    asked = onnxruntime.RunOptions()
    asked.only_execute_path_to_fetches = True
    rows = []
    for batch in (1, 64):
        some = sample(texts, batch)
        array, ids = np.array(some, object), padded(twin.encode(some))
        no_text = {"text": none, "ids": ids}
        ways = {
            "ids, no strings in the file": lambda ids=ids: without.run(["tags"], {"ids": ids}),
            "ids": lambda feeds=no_text: with_strings.run(["tags"], feeds),
            "ids, only what is asked for": lambda ids=ids: with_strings.run(
                ["tags"], {"text": none, "ids": ids}, asked
            ),
            "texts, tags": lambda array=array: with_strings.run(["tags"], {"text": array}),
            "texts, tags, tokens and labels": lambda array=array: with_strings.run(None, {"text": array}),
            "texts through `predict_text`": lambda some=some: predictor.predict_text(some),
        }
        timings = measure(ways, rounds=rounds, warm_calls=3)
        base = timings["ids, no strings in the file"]
        for name, timing in timings.items():
            ratio = timing.p10_seconds / base.p10_seconds
            rows.append([name, str(batch), f"{timing.median_seconds / batch * 1e6:.0f}", f"{ratio:.2f}"])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200, help="timed calls of each way")
    parser.add_argument("--quick", action="store_true", help="few calls, to see that it works")
    arguments = parser.parse_args()
    rounds = 10 if arguments.quick else arguments.rounds
    texts, cutting, strings = paragraphs(), [], []
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, make) in enumerate(KINDS.items()):
            tokenizer, path = make(texts), Path(folder) / f"bundle{number}"
            model = tagger(tokenizer)
            export_model(model, path, formats="onnx", tokenizer=tokenizer, labels=LABELS, verify=False)
            cutting += [[name, *row] for row in to_ids(tokenizer, path, texts, rounds)]
            if number == 0:
                export_model(model, path.parent / f"{path.name}-ids", formats="onnx", verify=False)
                strings = tagging(tokenizer, path, texts, rounds)
    print("Microseconds a paragraph, texts to ids:\n")
    header = ["", "texts a call", "graph", "Python", "TensorFlow", "graph: times as fast as Python"]
    print(markdown_table(header, cutting))
    print("\nMicroseconds a paragraph, a tagger in ONNX Runtime, one thread:\n")
    print(markdown_table(["", "texts a call", "us", "times the first"], strings))


if __name__ == "__main__":
    main()
