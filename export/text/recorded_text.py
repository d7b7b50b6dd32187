"""What a bundle's manifest says of text, as the export had it."""

from __future__ import annotations

from dataclasses import replace

from keras_seq.export.text.graph_text import GraphText
from keras_seq.export.text.reading import Reading
from keras_seq.export.text.text_plan import TARGET, TextPlan
from keras_seq.serving.bundle import Bundle
from keras_seq.text import load_tokenizer

__all__ = ["recorded_texts"]


def recorded_texts(bundle: Bundle) -> dict[str, GraphText]:
    """The strings that a bundle's graphs, and the signatures beside them, take and give.

    Args:
        bundle: The bundle.

    Returns:
        By graph name.
    """
    manifest = bundle.manifest
    readings = {name: Reading(load_tokenizer(bundle.file(spec.file))) for name, spec in manifest.tokenizers.items()}
    called = {spec.name for spec in manifest.graphs["model"].inputs} if "model" in manifest.graphs else set()
    generate = manifest.graphs.get("generate")
    prompts = [spec.name for spec in generate.inputs if spec.name not in called] if generate else []
    written = next((readings[name] for name in (TARGET, *prompts) if name in readings), None) if generate else None
    plan = TextPlan(readings, written, manifest.labels)
    texts = {}
    for name, graph in manifest.graphs.items():
        given = {ids: text for text, ids in graph.text.inputs.items()} if graph.text else {}
        texts[name] = replace(plan, names=given).of(graph)
    return texts
