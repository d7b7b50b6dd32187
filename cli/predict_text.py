"""`keras-seq predict` on texts: labels, hypotheses, streams."""

from pathlib import Path
from typing import Any

from keras_seq.cli.arrays import write_json
from keras_seq.cli.errors import CommandError
from keras_seq.cli.output import print_json, print_line
from keras_seq.cli.text_answers import (
    json_answers,
    json_hypotheses,
    json_stream,
    print_answers,
    print_hypotheses,
    print_stream,
)
from keras_seq.serving import Bundle, Generator, Predictor


def run_texts(
    path: Path,
    texts: list[str],
    graph: str | None,
    options: dict[str, Any],
    runs: dict[str, Any],
    output: Path | None,
    json: bool,
) -> None:
    """Runs a graph on texts, and prints or writes what it says.

    Args:
        path: The bundle's folder.
        texts: At least one.
        graph: Which of its graphs; by default `generate` where there is one, else `model`.
        options: Of the graph.
        runs: The variant and the number of threads, as `Predictor` takes them.
        output: A `.json` file to write to.
        json: Print JSON, one object a text, instead of tables.

    Raises:
        CommandError: The file cannot be written.
        ServingError: The bundle or the texts do not suit.
    """
    if output is not None and output.suffix != ".json":
        raise CommandError(f"--output for texts takes a file that ends in .json. Received: {output}.")
    bundle = Bundle.load(path)
    graph = graph or ("generate" if "generate" in bundle.manifest.graphs else "model")
    if bundle.graph(graph).decoding is not None:
        with Generator(bundle, graph=graph, **runs) as generator:
            found = generator.generate_text(texts, **options)
        rows, show = json_hypotheses(texts, found), print_hypotheses
    else:
        with Predictor(bundle, graph=graph, **runs) as predictor:
            found = predictor.predict_text(texts, options)
        rows, show = json_answers(texts, found), print_answers
    if output is not None:
        write_json(output, rows)
        if json:
            print_json({"path": str(output), "texts": len(texts)})
        else:
            print_line(f"{output}: {len(texts)} text{'s' * (len(texts) > 1)}")
    elif json:
        for row in rows:
            print_json(row, indent=None)
    else:
        show(texts, found)


def run_stream(
    path: Path, prompts: list[str], graph: str, options: dict[str, Any], runs: dict[str, Any], json: bool
) -> None:
    """Prints what a language model goes on with, token by token, one prompt after the other.

    Args:
        path: The bundle's folder.
        prompts: At least one; an empty one to begin without.
        graph: The graph that generates.
        options: Of that graph.
        runs: The variant and the number of threads, as `Predictor` takes them.
        json: Print JSON, one object a token, instead of text.

    Raises:
        ServingError: The bundle or a prompt does not suit.
    """
    with Generator(path, graph=graph, **runs) as generator:
        for i, prompt in enumerate(prompts):
            tokens = generator.stream(prompt, **options)
            if json:
                json_stream(i, tokens)
            else:
                print_stream(prompt, tokens)
