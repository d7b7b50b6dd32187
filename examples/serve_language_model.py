"""Writes with an exported language model, through `keras_seq.serving` alone: neither Keras nor TensorFlow is loaded.

python examples/serve_language_model.py out/language_model/bundle "ROMEO:"
python examples/serve_language_model.py out/language_model/bundle "ROMEO:" "JULIET:" --temperature 0.5 --seed 3
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from keras_seq.serving import Generator, ServingError
from tagging.sentence import CorpusError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: The arguments; those of the process where None.

    Returns:
        The exit code: 0 if all went well, 1 if Keras or TensorFlow was loaded or a text is not the expected one, 2 for
        bad input.
    """
    parser = argparse.ArgumentParser(description="Write with an exported language model.")
    parser.add_argument("bundle", type=Path, help="the bundle that language_model.py wrote")
    parser.add_argument("prompts", nargs="*", help='what texts begin with; "" for none')
    parser.add_argument("--temperature", type=float, help="below 1 for likelier tokens (default: that of the export)")
    parser.add_argument("--seed", type=int, help="the seed of the draws (default: that of the export)")
    parser.add_argument("--expect", type=Path, help="a JSON file with prompts, options and the texts to come")
    options = parser.parse_args(arguments)
    console = Console(highlight=False)
    given = {name: getattr(options, name) for name in ("temperature", "seed") if getattr(options, name) is not None}
    try:
        rows = [{"prompt": prompt, "options": given, "text": None} for prompt in options.prompts]
        rows += [] if options.expect is None else read_expected(options.expect)
        if not rows:
            raise CorpusError('there is nothing to write: give prompts, "" for none, or a file with --expect.')
        same = serve(options.bundle, rows, console)
    except (CorpusError, ServingError) as error:
        print(error, file=sys.stderr)
        return 2
    loaded = sorted({"keras", "tensorflow"} & sys.modules.keys())
    console.print(f"loaded of keras and tensorflow: {', '.join(loaded) or 'neither'}")
    return 0 if same and not loaded else 1


def read_expected(path: Path) -> list[dict[str, Any]]:
    """Reads prompts, options and texts.

    Raises:
        CorpusError: If the file cannot be read, or is something else.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CorpusError(f"{path}: cannot be read: {error}") from error
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and row.keys() == {"prompt", "options", "text"} for row in rows
    ):
        raise CorpusError(f"{path}: expected a list of objects with `prompt`, `options` and `text`.")
    return rows


def serve(bundle: Path, rows: Sequence[dict[str, Any]], console: Console) -> bool:
    """Loads the bundle and goes on with the prompts, token by token and again all at once.

    Args:
        bundle: The bundle.
        rows: Prompts and options, and the texts to come, `None` where nobody knows.
        console: Where to print.

    Returns:
        Whether all texts are the same either way, and the expected ones.
    """
    start = time.perf_counter()
    generator = Generator(bundle)
    if generator.metadata.get("task") != "language model":
        raise CorpusError(f"{bundle}: expected a bundle that language_model.py wrote.")
    console.print(f"bundle loaded in {time.perf_counter() - start:.2f} s")
    same = True
    for row in rows:
        prompt, options = row["prompt"], row["options"]
        console.print(Text(f"{options or 'as exported'}: ", "cyan"), Text(prompt, "bold"), sep="", end="")
        pieces, tokens, begin = [], 0, time.perf_counter()
        for token in generator.stream(prompt, **options):
            console.print(Text(token.text), sep="", end="", soft_wrap=True)
            pieces.append(token.text)
            tokens += 1
        streamed = time.perf_counter() - begin
        begin = time.perf_counter()
        ((whole,),) = generator.generate_text([prompt], **options)
        generated = time.perf_counter() - begin
        # What is streamed begins with the blank between the prompt's last word and the first new one.
        checks = {"streamed as generated": "".join(pieces).removeprefix(" ") == whole.text.removeprefix(" ")}
        if row["text"] is not None:
            checks["as Keras wrote"] = whole.text == row["text"]
        same &= all(checks.values())
        console.print()
        console.print(
            f"{len(whole.ids)} tokens: {tokens / streamed:,.0f} a second streamed, "
            f"{len(whole.ids) / generated:,.0f} at once; "
            + ", ".join(f"{name}: {'yes' if check else '[red]NO[/]'}" for name, check in checks.items()),
            soft_wrap=True,
        )
    generator.close()
    return same


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
