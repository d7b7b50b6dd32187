"""Checks of the arguments that the models share, which are the models' attributes already."""

from __future__ import annotations

from typing import Any


def check_sizes(model: Any, *names: str, optional: tuple[str, ...] = ()) -> None:
    """Checks that attributes are positive integers.

    Args:
        model: has them.
        *names: what they are called.
        optional: those that may be `None` instead.

    Raises:
        ValueError: names the first that is not.
    """
    for name in (*names, *optional):
        value = getattr(model, name)
        if not (value is None and name in optional) and (type(value) is not int or value < 1):
            raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")


def check_start_and_end(model: Any, vocabulary: str) -> None:
    """Checks that `start_id` and `end_id` are ids of the target's vocabulary.

    Args:
        model: has them, and the vocabulary's size.
        vocabulary: what the attribute of that size is called.

    Raises:
        ValueError: names the one that is not.
    """
    last = getattr(model, vocabulary) - 1
    for name in ("start_id", "end_id"):
        value = getattr(model, name)
        if type(value) is not int or not 1 <= value <= last:
            raise ValueError(
                f"`{name}` must be from 1 to {last}, an id of the target's vocabulary that is not the padding's, 0. "
                f"Received: {name}={value!r}, {vocabulary}={last + 1}"
            )


def check_dropout(model: Any) -> None:
    """Checks that `dropout` is a fraction.

    Raises:
        ValueError: if it is not.
    """
    if not 0.0 <= model.dropout < 1.0:
        raise ValueError(f"`dropout` must be at least 0 and less than 1. Received: dropout={model.dropout}")


def check_heads(model: Any) -> None:
    """Checks that the heads of a transformer go into its features, and what positions ask of them.

    Raises:
        ValueError: if they do not.
    """
    if model.features % model.num_heads:
        raise ValueError(
            "`num_heads` must divide `features`, which the heads share. "
            f"Received: num_heads={model.num_heads}, features={model.features}"
        )
    groups = model.num_key_value_heads
    if groups is not None and model.num_heads % groups:
        raise ValueError(
            "`num_key_value_heads` must divide `num_heads`, as each serves a group of query heads. "
            f"Received: num_key_value_heads={groups}, num_heads={model.num_heads}"
        )
    size = model.features // model.num_heads
    if model.position == "rotary" and size % 2:
        raise ValueError(
            'position="rotary" turns pairs of features, so that a head must have an even number of them, '
            f"`features` / `num_heads`. Received: features={model.features}, num_heads={model.num_heads}, so {size}"
        )


def check_learned_positions(model: Any, *limits: str) -> None:
    """Checks that learned positions have a number.

    Args:
        model: has `position` and the limits.
        *limits: what the attributes with the longest lengths are called.

    Raises:
        ValueError: names those that are lacking.
    """
    lacking = [f"`{name}`" for name in limits if getattr(model, name) is None]
    if model.position == "learned" and lacking:
        raise ValueError(
            f'position="learned" has a table of positions, whose size {" and ".join(lacking)} must say. Received: '
            f"{', '.join(f'{name}={getattr(model, name)}' for name in limits)}"
        )


def vocabulary_size_of(tokenizer: Any, vocabulary_size: int | None, start_id: int, end_id: int) -> int:
    """The size of a model's vocabulary, which is that of its tokenizer where it has one.

    Args:
        tokenizer: or `None`.
        vocabulary_size: as given to the model; `None` for the tokenizer's.
        start_id: of the model.
        end_id: of the model.

    Raises:
        ValueError: if neither says it, or both do and differ; or if the tokenizer starts or ends texts by other ids.
    """
    if tokenizer is None:
        if vocabulary_size is None:
            raise ValueError("`vocabulary_size` must be given where there is no `tokenizer` to take it from.")
        return vocabulary_size
    if vocabulary_size not in (None, tokenizer.vocabulary_size):
        raise ValueError(
            f"`vocabulary_size` must be that of the tokenizer, {tokenizer.vocabulary_size}, or left out. "
            f"Received: vocabulary_size={vocabulary_size}"
        )
    if (start_id, end_id) != (tokenizer.start_id, tokenizer.end_id):
        raise ValueError(
            f"`start_id` and `end_id` must be those of the tokenizer, {tokenizer.start_id} and {tokenizer.end_id}. "
            f"Received: start_id={start_id}, end_id={end_id}"
        )
    return tokenizer.vocabulary_size
