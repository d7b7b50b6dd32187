"""What the WebAssembly build of ONNX Runtime has not, and what is said of a graph that needs it.

The tables were read off onnxruntime-web 1.30.0: a graph of one node was loaded for each operator that ONNX Runtime 1.32
knows. Of what keras_seq exports nothing is missing; a layer of somebody else's may bring such an operator along.
"""

import re
from pathlib import Path

from keras_seq.serving.errors import BundleError, listed
from keras_seq.serving.site.onnx_nodes import OnnxFile, OnnxNode

NEWEST_IR_VERSION = 13
NEWEST_OPSETS = {"": 26, "ai.onnx.ml": 5, "com.microsoft": 1}
"""The domains that there are, each with its newest version."""

LACKING = {
    "": {
        "Affine", "Crop", "DynamicSlice", "GRUUnit", "GivenTensorFill", "ImageScaler", "ParametricSoftplus",
        "Scale", "ScaledTanh",
    },
    "ai.onnx.ml": set(),
    "com.microsoft": {
        "BranchwiseRMSNorm", "ConvStateReplay", "DynamicSparseAttention", "GatedDeltaNetStateReplay",
        "GatherPacked", "HyperConnectionLowRankMix", "HyperConnectionPostMix", "HyperConnectionPreMix",
        "Mamba2Verify", "MatMulNBitsQLoRA", "MatMulPacked", "MoEGroupRouter", "MoEPacked",
        "PackedSparseAttentionIndexer", "PackedSparseAttentionIndexerMerge", "RMSNormRotary",
        "RouterGateUpProj", "ScaledSiLU", "SparseAttentionIndexer", "SparsePagedAttention",
        "SpeculativePrefixCommit", "SwiGLU", "VarlenNGramHashMapping",
    },
}  # fmt: skip
"""Domain to operators of it that are not there."""

_MOST = 5  # operators that a message names


def check_operators(path: Path, graph: str):
    """Refuse a graph that the runtime of the page could not load.

    Args:
        path: Its `.onnx` file.
        graph: What messages call it.

    Raises:
        BundleError: If it has an operator that is not there, naming it and the layer it came from, or is of a version
            too new.
    """
    file = OnnxFile.read(path)
    missing = {}
    for node in file.nodes:
        if node.domain not in LACKING or node.operator in LACKING[node.domain]:
            missing.setdefault((node.domain, node.operator), node)
    if missing:
        named = [_spelt(node) for node in missing.values()]
        more = f" and {len(named) - _MOST} more" if len(named) > _MOST else ""
        raise BundleError(
            f"graph {graph!r} needs what onnxruntime-web has not: {', '.join(named[:_MOST])}{more}. Export the model "
            "with layers that become standard operators (`keras-seq explain` shows what each becomes), or serve it "
            "with `keras-seq serve`."
        )
    newer = [
        f"version {version} of {domain or 'ai.onnx'} (it knows {NEWEST_OPSETS[domain]})"
        for domain, version in file.opsets.items()
        if version > NEWEST_OPSETS.get(domain, version)
    ]
    if file.ir_version > NEWEST_IR_VERSION:
        newer.append(f"IR version {file.ir_version} (it knows {NEWEST_IR_VERSION})")
    if newer:
        raise BundleError(
            f"graph {graph!r} is newer than onnxruntime-web: {', '.join(newer)}. Export the model for an older ONNX "
            "Runtime: min_onnxruntime='1.17'."
        )


def layer_of(node: str) -> str:
    """The layer that a node was made from, by the node's name; empty where the name does not say.

    >>> layer_of("tagger_1/reader_1/PyFuncStateless_1_LSTM__70"), layer_of("MatMul__3")
    ('tagger/reader', '')
    """
    *scopes, _ = node.split("/")
    return "/".join(re.sub(r"_\d+$", "", scope) for scope in scopes)


def _spelt(node: OnnxNode) -> str:
    layer = layer_of(node.name)
    where = f"of layer {layer!r}" if layer else f"of node {node.name!r}" if node.name else "of a node without a name"
    known = listed(name or "ai.onnx" for name in LACKING)
    of = node.domain or "ai.onnx"
    domain = f", a domain beside {known}" if node.domain not in LACKING else ""
    return f"{of}.{node.operator} {where}{domain}"
