"""What a model says of texts, as the routes of plain text give it away."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic_core import to_json

from keras_seq.serving.errors import ServingError
from keras_seq.serving.hypothesis import Hypothesis
from keras_seq.serving.text.tokenizer import Tokenizer

_DIGITS = 6  # what float32 is good for
_SUM_ATOL = 5e-3  # what a softmax in half precision may miss 1 by


def probabilities(scores: np.ndarray, classes: int) -> np.ndarray | None:
    """Scores of classes as probabilities.

    Scores that are probabilities stay what they are, others are taken for logits and go through a softmax. A single
    score of two classes is the probability of the second.

    Args:
        scores: Of one text, `(..., classes)` or `(..., 1)`; or indices of classes, which say nothing of probabilities.
        classes: How many there are.

    Returns:
        `(..., classes)`, float64; None where there are none: for indices, and a single score that is outside of 0 to 1.

    Example:
        >>> probabilities(np.array([0.25, 0.75], "float32"), 2)
        array([0.25, 0.75])
        >>> probabilities(np.array([[0.0, 0.0], [np.log(3), 0.0]]), 2)
        array([[0.5 , 0.5 ],
               [0.75, 0.25]])
        >>> probabilities(np.array([0.25]), 2)
        array([0.75, 0.25])
    """
    if scores.dtype.kind != "f":
        return None
    scores = scores.astype("float64")
    if (scores.shape[-1], classes) == (1, 2):
        within = ((scores >= 0) & (scores <= 1)).all()
        return np.concatenate([1 - scores, scores], axis=-1) if within else None
    if (scores >= 0).all() and (np.abs(scores.sum(axis=-1) - 1) <= _SUM_ATOL).all():
        return scores
    exp = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exp / exp.sum(axis=-1, keepdims=True)


def tagged(
    texts: Sequence[str], answer: Mapping[str, Any], output: str, labels: Sequence[str], inputs: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Each text with its tokens, and their labels.

    Args:
        texts: What was asked.
        answer: What `predict_text` gave.
        output: The output that the labels are of.
        labels: All there are.
        inputs: The inputs that took the texts. Where several did, the tokens shown are those of the first that has as
            many as there are labels.

    Yields:
        One object a text, as `TaggedText` documents it.

    Raises:
        ServingError: If the graph gives another number of labels than the text has tokens.
    """
    for i, text in enumerate(texts):
        names = answer[f"{output}.labels"][i]
        tokens = _tokens_of(answer, inputs, i, len(names))
        if tokens is None:
            raise ServingError(
                f"Output {output!r} has {len(names)} labels for a text of another number of tokens, so it is not known "
                "which is whose. Export the model with the time axis of that output under another name."
            )
        likely = probabilities(np.asarray(answer[output][i]), len(labels))
        best = [None] * len(names) if likely is None or not len(names) else _rounded(likely.max(axis=-1))
        yield {
            "text": text,
            "tokens": [
                {"text": token, "label": label, "probability": probability}
                for token, label, probability in zip(tokens, names, best, strict=True)
            ],
        }


def _tokens_of(answer: Mapping[str, Any], inputs: Sequence[str], row: int, length: int) -> list[str] | None:
    columns = [answer[key] for key in (*(f"{name}.tokens" for name in inputs), "tokens") if key in answer]
    return next((column[row] for column in columns if len(column[row]) == length), None)


def classified(
    texts: Sequence[str], answer: Mapping[str, Any], output: str, labels: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Each text with its class, and the probabilities of all.

    Args:
        texts: What was asked.
        answer: What `predict_text` gave.
        output: The output that the classes are of.
        labels: All there are.

    Yields:
        One object a text, as `ClassifiedText` documents it.
    """
    for i, text in enumerate(texts):
        likely = probabilities(np.asarray(answer[output][i]), len(labels))
        every = None
        if likely is not None:
            order = np.argsort(-likely, kind="stable")
            every = [
                {"label": labels[k], "probability": p} for k, p in zip(order, _rounded(likely[order]), strict=True)
            ]
        yield {
            "text": text,
            "label": answer[f"{output}.labels"][i],
            "probability": None if every is None else every[0]["probability"],
            "probabilities": every,
        }


def generated(
    texts: Sequence[str],
    tokens: Sequence[Sequence[str]],
    found: Sequence[Sequence[Hypothesis]],
    target: Tokenizer | None,
) -> Iterator[dict[str, Any]]:
    """Each text with its hypotheses.

    Args:
        texts: What was asked.
        tokens: The tokens of each.
        found: What `generate_text` gave.
        target: The tokenizer of the hypotheses; None where they are ids alone.

    Yields:
        One object a text, as `GeneratedTexts` documents it.
    """
    for text, source, hypotheses in zip(texts, tokens, found, strict=True):
        yield {"text": text, "tokens": list(source), "hypotheses": [_found(one, target) for one in hypotheses]}


def spelt(head: Mapping[str, Any], results: Iterable[Mapping[str, Any]]) -> bytes:
    """An answer as JSON. Numbers that are not finite become null.

    It is made result by result: nothing else of the process runs while JSON is made of a single value.

    Args:
        head: What stands before the results, something at least.
        results: What stands under `"results"`.

    Example:
        >>> spelt({"model": "pos"}, [{"text": "it"}, {"text": "rains"}])
        b'{"model":"pos","results":[{"text":"it"},{"text":"rains"}]}'
    """
    parts = b",".join(to_json(result, inf_nan_mode="null") for result in results)
    return b'%b,"results":[%b]}' % (to_json(dict(head), inf_nan_mode="null")[:-1], parts)


def _found(one: Hypothesis, target: Tokenizer | None) -> dict[str, Any]:
    ids = one.ids.tolist()
    return {
        "text": one.text,
        "score": one.score,
        "finished": one.finished,
        "tokens": [str(i) if target is None else target.vocabulary[i] for i in ids],
        "alignment": None if one.alignment is None else _rounded(one.alignment),
    }


def _rounded(values: np.ndarray) -> list:
    return np.round(values.astype("float64"), _DIGITS).tolist()
