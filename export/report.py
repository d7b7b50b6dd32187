"""What an export did, to be printed or read by programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from keras_seq.export.lowering.layer_note import LayerNote
from keras_seq.export.parity import Parity
from keras_seq.serving.bundle import Manifest

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
    """

    path: Path
    manifest: Manifest
    layers: tuple[LayerNote, ...]
    parity: tuple[Parity, ...]

    def __str__(self) -> str:
        lines = [f"bundle {self.path}"]
        for name, graph in self.manifest.graphs.items():
            size = self.manifest.files[graph.file].bytes / 1e6
            layers_first = sorted(graph.operators.items(), key=lambda item: item[0] not in _OF_LAYERS)
            operators = ", ".join(f"{count} {op}" for op, count in layers_first[:6])
            lines.append(f"  {graph.file:<12} {size:7.2f} MB, {graph.nodes} nodes ({operators}, …)")
            if graph.decoding:
                lines.append(f"               {_decoding(graph.decoding)}")
                lines.append("               options: " + ", ".join(f"{o.name}={o.default}" for o in graph.options))
            if name == "step":
                names = [state.name for state in graph.states]
                more = f", … ({len(names)} in all)" if len(names) > _SHOWN else ""
                lines.append("               states: " + ", ".join(names[:_SHOWN]) + more)
        if self.manifest.saved_model:
            lines.append(f"  saved_model  signatures {', '.join(self.manifest.saved_model['signatures'])}")
        lines += [f"  layer {n.name} ({n.layer_class}): {n.lowering}, {n.reason}" for n in self.layers]
        lines += [f"  {result}" for result in self.parity]
        return "\n".join(lines)


def _decoding(decoding: dict) -> str:
    settings = ", ".join(f"{k}={v}" for k, v in decoding.items() if k not in ("strategy", "loop_nodes"))
    return f"{decoding['strategy']}({settings}), {decoding['loop_nodes']} nodes a step"
