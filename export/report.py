"""What an export did, to be printed or read by programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from keras_seq.export.lowering.layer_note import LayerNote
from keras_seq.export.parity import Parity
from keras_seq.export.quantization.quantization_report import QuantizationReport
from keras_seq.serving.bundle import Manifest
from keras_seq.serving.text_spec import TextSpec

__all__ = ["ExportReport"]

_SHOWN = 4  # states of a stream
_OF_LAYERS = ("RNN", "GRU", "LSTM", "Attention", "MultiHeadAttention")


@dataclass(frozen=True)
class ExportReport:
    """What `export_model` did.

    Attributes:
        path: The bundle.
        manifest: What its `bundle.json` says.
        layers: How each recurrent or attention layer was lowered.
        parity: Every comparison made; all passed, or there would be no report.
        quantization: What the quantised graphs are and what they lose; None where there are none.
    """

    path: Path
    manifest: Manifest
    layers: tuple[LayerNote, ...]
    parity: tuple[Parity, ...]
    quantization: QuantizationReport | None = None

    def __str__(self) -> str:
        lines = [f"bundle {self.path}"]
        for name, graph in self.manifest.graphs.items():
            size = self.manifest.files[graph.file].bytes / 1e6
            layers_first = sorted(graph.operators.items(), key=lambda item: item[0] not in _OF_LAYERS)
            operators = ", ".join(f"{count} {op}" for op, count in layers_first[:6])
            lines.append(f"  {graph.file:<12} {size:7.2f} MB, {graph.nodes} nodes ({operators}, …)")
            for variant in graph.variants.values():
                size = self.manifest.files[variant.file].bytes / 1e6
                lines.append(f"  {variant.file:<12} {size:7.2f} MB, {variant.nodes} nodes")
            if graph.decoding:
                lines.append(f"               {_decoding(graph.decoding)}")
                lines.append("               options: " + ", ".join(f"{o.name}={o.default}" for o in graph.options))
            if graph.text:
                lines.append(f"               {_strings(graph.text)}")
            if name == "step":
                names = [state.name for state in graph.states]
                more = f", … ({len(names)} in all)" if len(names) > _SHOWN else ""
                lines.append("               states: " + ", ".join(names[:_SHOWN]) + more)
        if self.manifest.saved_model:
            lines.append(f"  saved_model  signatures {', '.join(self.manifest.saved_model['signatures'])}")
        lines += self._tokenizers()
        lines += [f"  layer {n.name} ({n.layer_class}): {n.lowering}, {n.reason}" for n in self.layers]
        lines += [f"  {result}" for result in self.parity]
        if self.quantization is not None:
            lines += [f"  {line}" for line in str(self.quantization).splitlines()]
        return "\n".join(lines)

    def _tokenizers(self) -> list[str]:
        """The inputs with a tokenizer, and why a graph takes ids alone where it does."""
        manifest, lines = self.manifest, []
        for name, spec in manifest.tokenizers.items():
            graphs = [
                g for g in manifest.graphs.values() if name in {given.name for given in g.inputs} and not g.states
            ]
            strings = [graph for graph in graphs if graph.text and name in graph.text.inputs.values()]
            alone = "" if len(strings) == len(graphs) else f", whose graphs take ids alone: {self._why_ids_alone()}"
            lines.append(f"  {spec.file} for {name!r}{alone}")
        return lines

    def _why_ids_alone(self) -> str:
        if self.manifest.onnx.get("portable"):
            return "with strings they would not be portable. keras_seq.serving encodes"
        return (
            "no operator of ONNX Runtime cuts word pieces, lower-cases words of over 1000 letters, or takes words and "
            "their characters apart. keras_seq.serving encodes"
        )


def _decoding(decoding: dict) -> str:
    settings = ", ".join(f"{k}={v}" for k, v in decoding.items() if k not in ("strategy", "loop_nodes"))
    return f"{decoding['strategy']}({settings}), {decoding['loop_nodes']} nodes a step"


def _strings(text: TextSpec) -> str:
    takes = [f"{name} (strings) or {ids}" for name, ids in text.inputs.items()]
    taken = f"takes {', '.join(takes)}; " if takes else ""
    return f"{taken}gives {', '.join(text.outputs) or 'no strings'}"
