"""What became of texts, for people and for programs."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from keras_seq.cli.arrays import as_lists
from keras_seq.cli.output import print_json, print_line, print_table
from keras_seq.cli.texts import printable, readable

_LABELS = ".labels"


def json_answers(texts: Sequence[str], answers: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One object a text: `text`, and every output by its name.

    Args:
        texts: What was given.
        answers: What `Predictor.predict_text` gave.
    """
    numbers = {name: value for name, value in answers.items() if _are_arrays(value)}
    lists = {**answers, **as_lists(numbers)}
    return [{"text": text, **{name: value[i] for name, value in lists.items()}} for i, text in enumerate(texts)]


def print_answers(texts: Sequence[str], answers: Mapping[str, Any]) -> None:
    """Prints the labels of all texts in one table, those of a text's tokens in one each, and numbers without labels.

    Args:
        texts: What was given.
        answers: What `Predictor.predict_text` gave.
    """
    tokens = next(rows for name, rows in answers.items() if _names_tokens(name) and not _are_arrays(rows))
    labels = {name.removesuffix(_LABELS): rows for name, rows in answers.items() if name.endswith(_LABELS)}
    of_texts = {name: rows for name, rows in labels.items() if isinstance(rows[0], str)}
    of_tokens = {name: rows for name, rows in labels.items() if name not in of_texts and _one_each(rows, tokens)}
    if of_texts:
        rows = [[readable(text), *(column[i] for column in of_texts.values())] for i, text in enumerate(texts)]
        print_table("texts", ["text", *of_texts], rows)
    for i, text in enumerate(texts):
        shown = {*of_texts, *of_tokens}
        others = {name: rows[i] for name, rows in answers.items() if _are_arrays(rows) and name not in shown}
        if of_tokens:
            cells = zip(tokens[i], *(rows[i] for rows in of_tokens.values()), strict=True)
            print_table(readable(text), ["token", *of_tokens], [[readable(token), *rest] for token, *rest in cells])
        elif others:
            print_line()
            print_line(readable(text), style="bold")
            print_line(" ".join(map(readable, tokens[i])))
        for name, row in others.items():
            print_line()
            print_line(name, style="bold")
            print_line(np.array2string(np.asarray(row), precision=4, suppress_small=True, threshold=100, edgeitems=3))


def json_hypotheses(texts: Sequence[str], found: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """One object a text: `text` and `hypotheses`, the best first.

    Args:
        texts: What was given.
        found: What `Generator.generate_text` gave.
    """
    return [
        {
            "text": text,
            "hypotheses": [
                {"text": one.text, "score": one.score, "finished": one.finished, "ids": one.ids.tolist()}
                for one in hypotheses
            ],
        }
        for text, hypotheses in zip(texts, found, strict=True)
    ]


def print_hypotheses(texts: Sequence[str], found: Sequence[Sequence[Any]]) -> None:
    """Prints the hypotheses of each text under it.

    Args:
        texts: What was given.
        found: What `Generator.generate_text` gave.
    """
    for text, hypotheses in zip(texts, found, strict=True):
        rows = [
            [f"{one.score:.3f}", _spelt(one), "" if one.finished else "cut at the maximum length"] for one in hypotheses
        ]
        print_table(readable(text) or "(no text)", ["score", "text", ""], rows, right=["score"])


def print_stream(text: str, tokens: Iterator[Any]) -> None:
    """Prints a prompt and what comes behind it, as it comes.

    Args:
        text: The prompt.
        tokens: What `Generator.stream` gave.
    """
    _write(text)
    for token in tokens:
        _write(token.text)
    _write("\n")


def json_stream(number: int, tokens: Iterator[Any]) -> None:
    """Prints one JSON object a token, as it comes: `prompt`, its number; `id`, `text`, `log_prob`.

    Args:
        number: The prompt's number, from 0.
        tokens: What `Generator.stream` gave.
    """
    for token in tokens:
        print_json({"prompt": number, "id": token.id, "text": token.text, "log_prob": token.log_prob}, indent=None)
        sys.stdout.flush()


def _spelt(hypothesis: Any) -> str:
    """A hypothesis' text, or its ids where the bundle does not know what they stand for."""
    return " ".join(map(str, hypothesis.ids)) if hypothesis.text is None else readable(hypothesis.text)


def _write(text: str) -> None:
    encoding = sys.stdout.encoding or "ascii"  # a terminal that cannot show a letter gets a question mark
    sys.stdout.write(printable(text).encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()


def _are_arrays(value: Any) -> bool:
    return isinstance(value, np.ndarray) or all(isinstance(row, np.ndarray) for row in value)


def _names_tokens(name: str) -> bool:
    """`tokens`, or `words.tokens` where an output of the model has that name already."""
    return name.rpartition(".")[2] == "tokens"


def _one_each(rows: Sequence[Any], tokens: Sequence[Sequence[str]]) -> bool:
    return all(len(row) == len(text) for row, text in zip(rows, tokens, strict=True))
