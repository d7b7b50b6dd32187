"""How `--generate` names a decoding strategy."""

import json
from typing import Any

from keras_seq.cli.errors import CommandError

STRATEGIES = {"greedy": "Greedy", "sampling": "Sampling", "beam_search": "BeamSearch"}


def read_strategy(text: str | None) -> Any:
    """The strategy that an option names, such as `beam_search:num_beams=4,max_length=40`; None for None.

    Raises:
        CommandError: There is no such strategy or setting, or the setting's value does not suit.
    """
    if text is None:
        return None
    import keras_seq

    name, _, settings = text.partition(":")
    if name not in STRATEGIES:
        raise CommandError(f"--generate takes {', '.join(STRATEGIES)}. Received: {name!r}.")
    strategy = getattr(keras_seq, STRATEGIES[name])
    try:
        return strategy(**dict(_setting(part) for part in settings.split(",") if part))
    except (TypeError, ValueError) as error:
        known = ", ".join(sorted(vars(strategy())))
        raise CommandError(f"--generate {text}: {error}. The settings of {name}: {known}.") from error


def _setting(part: str) -> tuple[str, Any]:
    name, equals, value = part.partition("=")
    if not equals:
        raise ValueError(f"{part!r} is not NAME=VALUE")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value  # a word, such as gnmt
