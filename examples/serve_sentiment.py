"""Names what texts are with an exported classifier: strings in, labels out, neither Keras nor TensorFlow loaded.

python examples/serve_sentiment.py out/sentiment "a film to remember"
python examples/serve_sentiment.py out/sentiment --file out/sentiment_held_out.tsv

The graph itself takes the strings and gives the labels: the second part does without `keras_seq` too, by ONNX Runtime
and the file `model.onnx`.
"""

from __future__ import annotations

import argparse
import collections
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from rich.console import Console

from classifying.corpus import Labelled, read_labelled
from classifying.terminal import print_answers, print_confusions
from keras_seq.serving import Predictor, ServingError
from tagging.sentence import CorpusError

BATCH = 64


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: The arguments; those of the process where None.

    Returns:
        The exit code: 0 if all went well, 1 if Keras or TensorFlow was loaded or the graph's labels are not the
        runtime's, 2 for bad input.
    """
    parser = argparse.ArgumentParser(description="Name what texts are with an exported classifier.")
    parser.add_argument("bundle", type=Path, help="the bundle that sentiment.py wrote")
    parser.add_argument("texts", nargs="*", help="texts")
    parser.add_argument("--file", type=Path, help="tab-separated labels and texts, to judge by")
    parser.add_argument("--rows", type=int, default=8, help="how many of the file to show (default: %(default)s)")
    options = parser.parse_args(arguments)
    console = Console(highlight=False)
    try:
        if not options.texts and options.file is None:
            raise CorpusError("there is nothing to classify: give texts, or a file with --file.")
        judged = [] if options.file is None else read_labelled(options.file)
        equal = serve(options.bundle, options.texts, judged, options.rows, console)
    except (CorpusError, ServingError) as error:
        print(error, file=sys.stderr)
        return 2
    loaded = sorted({"keras", "tensorflow"} & sys.modules.keys())
    console.print(f"loaded of keras and tensorflow: {', '.join(loaded) or 'neither'}")
    return 0 if equal and not loaded else 1


def serve(bundle: Path, texts: Sequence[str], judged: Sequence[Labelled], shown: int, console: Console) -> bool:
    """Classifies everything, shows some and judges those with labels.

    Args:
        bundle: The bundle.
        texts: Texts to show.
        judged: Texts with their labels.
        shown: How many of those to show.
        console: Where to print.

    Returns:
        Whether the file `model.onnx`, given the strings, gives the same labels.
    """
    start = time.perf_counter()
    predictor = Predictor(bundle)
    if predictor.metadata.get("task") != "classification" or not predictor.labels:
        raise CorpusError(f"{bundle}: expected a bundle that sentiment.py wrote, with labels.")
    loaded = time.perf_counter()
    every = [*texts, *(text for text, _ in judged)]
    (output,) = (spec.name for spec in predictor.outputs)
    labels, shares = [], []
    for at in range(0, len(every), BATCH):
        answer = predictor.predict_text(every[at : at + BATCH])
        labels += list(answer[f"{output}.labels"])
        shares += [float(np.max(row)) for row in answer[output]]
    done = time.perf_counter()

    count = len(texts) + min(shown, len(judged))
    print_answers(console, every[:count], labels[:count], shares[:count])
    console.print(
        f"bundle loaded in {loaded - start:.2f} s, {len(every):,} texts in {done - loaded:.2f} s, "
        f"{len(every) / (done - loaded):,.0f} a second"
    )
    if judged:
        pairs = list(zip((label for _, label in judged), labels[len(texts) :], strict=True))
        right = sum(one == other for one, other in pairs)
        console.print(f"right: {right:,} of {len(pairs):,}, {right / len(pairs):.4f}")
        print_confusions(console, collections.Counter(pairs))
    equal = plain_labels(bundle / "model.onnx", every) == labels
    console.print(f"plain ONNX Runtime, strings into model.onnx: {'the same' if equal else 'OTHER'} labels")
    return equal


def plain_labels(path: Path, texts: Sequence[str]) -> list[str]:
    """What the graph alone makes of strings: no tokenizer, no manifest, no `keras_seq`."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it would remark that the graph takes ids in the place of strings too
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    labels = []
    for at in range(0, len(texts), BATCH):
        (found,) = session.run(["labels"], {"text": np.array(texts[at : at + BATCH], dtype=object)})
        labels += list(found)
    return labels


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
