"""What a model gives, as arrays: rows of different lengths are filled up, texts become arrays of strings."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_seq.serving.errors import InputError
from keras_seq.serving.hypothesis import Hypothesis


def as_tensor(value: Any) -> np.ndarray:
    """One output as one array.

    Args:
        value: An array; a list of arrays, one a row; or one of strings, or of nested lists of strings.

    Returns:
        An array; where rows differ, they are filled up with 0, false or `""` behind their end.

    Example:
        >>> as_tensor([["the", "dog"], ["it"]]).tolist()
        [['the', 'dog'], ['it', '']]
    """
    if isinstance(value, np.ndarray):
        return value
    rows = [row if isinstance(row, np.ndarray) else np.array(row, object) for row in value]
    # An empty row of strings does not know how many axes it has.
    axes = max(row.ndim for row in rows)
    shapes = [row.shape + (0,) * (axes - row.ndim) for row in rows]
    fill = "" if rows[0].dtype.kind == "O" else 0
    tensor = np.full((len(rows), *np.max(shapes, axis=0, initial=0).astype(int)), fill, rows[0].dtype)
    for i, (row, shape) in enumerate(zip(rows, shapes, strict=True)):
        tensor[(i, *map(slice, shape), ...)] = row.reshape(shape)
    return tensor


def of_hypotheses(answers: Sequence[Sequence[Hypothesis]]) -> dict[str, np.ndarray | list]:
    """Hypotheses as outputs.

    Args:
        answers: For each text its hypotheses, as many for each.

    Returns:
        `text`, which is empty where the bundle has no tokenizer for it; `ids` `(batch, hypotheses, target)`; and
        `lengths`, `scores` and `finished`, each `(batch, hypotheses)`.
    """
    return {
        "text": [[one.text or "" for one in row] for row in answers],
        "ids": [as_tensor([one.ids for one in row]) for row in answers],
        "lengths": np.array([[len(one.ids) for one in row] for row in answers], "int32"),
        "scores": np.array([[one.score for one in row] for row in answers], "float32"),
        "finished": np.array([[one.finished for one in row] for row in answers]),
    }


def best_classes(value: Any, count: int, name: str, labels: Sequence[str] | None) -> np.ndarray:
    """The best classes along the last axis of an output, in place of the output.

    Args:
        value: An array, or a list of arrays, one a row.
        count: How many classes; all of them where there are no more.
        name: The output's name, for messages.
        labels: What the classes are called; None where nothing is known of that.

    Returns:
        Strings `"<value>:<index>"` or `"<value>:<index>:<label>"`, the best first, in the form of Triton's
        classification extension.

    Raises:
        InputError: If the output is no numbers, or has no axis of classes.

    Example:
        >>> best_classes(np.array([[0.1, 0.7, 0.2]]), 2, "mood", ["calm", "loud", "wet"]).tolist()
        [['0.700000:1:loud', '0.200000:2:wet']]
    """
    first = value if isinstance(value, np.ndarray) else np.asarray(value[0])[np.newaxis]
    if first.dtype.kind not in "fiu" or first.ndim < 2:
        raise InputError(
            f"Output {name!r} has no classes: `classification` is for numbers with an axis behind the batch. Ask for "
            "the output itself."
        )
    if isinstance(value, np.ndarray):
        return _classify(value, count, labels)
    return as_tensor([_classify(row, count, labels) for row in value])


def _classify(scores: np.ndarray, count: int, labels: Sequence[str] | None) -> np.ndarray:
    order = np.argsort(-scores.astype("float64"), axis=-1, kind="stable")[..., :count]
    best = np.take_along_axis(scores, order, axis=-1)
    spell = "{:f}:{}" if scores.dtype.kind == "f" else "{}:{}"
    texts = np.empty(order.size, object)
    for i, (score, index) in enumerate(zip(best.ravel().tolist(), order.ravel().tolist(), strict=True)):
        text = spell.format(score, index)
        texts[i] = f"{text}:{labels[index]}" if labels and index < len(labels) else text
    return texts.reshape(order.shape)


def classes_of(labels: Mapping[str, Sequence[str]], name: str, classes: int | str) -> Sequence[str] | None:
    """The labels of an output if there is one for each of its classes.

    Args:
        labels: Output name to labels.
        name: The output.
        classes: Size of its last axis.
    """
    found = labels.get(name)
    return found if found is not None and len(found) == classes else None
