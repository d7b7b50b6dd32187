"""From the text of an ONNX graph to a session: what the hand-made graphs of this package have in common."""

from collections.abc import Iterator, Mapping

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper

from keras_seq.serving.session import session_options
from transformer_opponents.weights import EPSILON, Layer, Linear, Norm, Weights

IR_VERSION, OPSET = 8, 18
MASKED = -1e9

# In what follows `@` stands for a layer's prefix, INPUT and OUTPUT for the sum that its residual connections make.
# Add and LayerNormalization stay apart: ONNX Runtime's fused node takes three times as long.
OUTPUT_PROJECTION = """
        @projected = MatMul(@attended, @output_kernel)
        @projected_biased = Add(@projected, @output_bias)
"""
FEED_FORWARD = """
        @feed_forward_in = LayerNormalization<epsilon = EPSILON>
            (@summed, @feed_forward_norm_gamma, @feed_forward_norm_beta)
        @expanded = MatMul(@feed_forward_in, @expand_kernel)
        @expanded_biased = Add(@expanded, @expand_bias)
        GELU
        @contracted = MatMul(@activated, @contract_kernel)
        @contracted_biased = Add(@contracted, @contract_bias)
        OUTPUT = Add(@summed, @contracted_biased)
"""
GELU = "@activated = com.microsoft.Gelu(@expanded_biased)"
PORTABLE_GELU = """
        @scaled = Mul(@expanded_biased, root_half)
        @erf = Erf(@scaled)
        @erf_and_1 = Add(@erf, float_1)
        @half = Mul(@expanded_biased, float_half)
        @activated = Mul(@half, @erf_and_1)
"""


def stacked(layer: str, prefix: str, first: str, num_layers: int) -> str:
    """The text of a layer once for each layer; the first one's input is `first`, the last one's output `PREFIX_out`."""
    text = ""
    for index in range(num_layers):
        output = f"{prefix}_out" if index == num_layers - 1 else f"{prefix}{index + 1}_in"
        own = layer.replace("INPUT", f"{prefix}{index}_in" if index else first).replace("OUTPUT", output)
        text += own.replace("@", f"{prefix}{index}_")
    return text


def layer_constants(layers: tuple[Layer, ...], prefix: str) -> Iterator[tuple[str, np.ndarray]]:
    """The weights of all layers by the names that the texts give them, products of one input side by side."""
    for index, layer in enumerate(layers):
        query, key, value, output = layer.attention
        parts: dict[str, Linear | Norm] = {
            "attention_norm": layer.attention_norm,
            "qkv": Linear.joined(query, key, value),
            "output": output,
            "feed_forward_norm": layer.feed_forward_norm,
            "expand": layer.expand,
            "contract": layer.contract,
        }
        if layer.cross_attention is not None:
            query, key, value, output = layer.cross_attention
            parts |= {
                "cross_norm": layer.cross_attention_norm,
                "cross_query": query,
                "cross_kv": Linear.joined(key, value),
                "cross_output": output,
            }
        for name, part in parts.items():
            for field, array in part._asdict().items():
                yield f"{prefix}{index}_{name}_{field}", array


def parsed(text: str, weights: Weights, constants: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    """The model of a text, with those constants that it uses.

    Args:
        text: Of the graph. HEADS, FEATURES and EPSILON are filled in.
        weights: Of the model.
        constants: By name.
    """
    sizes = weights.sizes
    constants = {
        "zero": np.array([0]),
        "one": np.array([1]),
        "two": np.array([2]),
        "axes_1_2": np.array([1, 2]),
        "pad_id": np.array(0, "int32"),
        "float_0": np.array(0, "float32"),
        "float_1": np.array(1, "float32"),
        "float_half": np.array(0.5, "float32"),
        "root_half": np.array(0.5**0.5, "float32"),
        "masked": np.array(MASKED, "float32"),
        "head_scale": np.array((sizes.features / sizes.num_heads) ** -0.5, "float32"),
        "sizes_qkv": np.array([sizes.features] * 3),
        "shape_heads": np.array([0, 0, sizes.num_heads, sizes.features // sizes.num_heads]),
        "shape_merged": np.array([0, 0, sizes.features]),
        "positions": weights.positions,
        "source_table": weights.source_table,
        "encoder_gamma": weights.encoder_norm.gamma,
        "encoder_beta": weights.encoder_norm.beta,
        **dict(layer_constants(weights.encoder, "e")),
        **constants,
    }
    for word, value in (("HEADS", sizes.num_heads), ("FEATURES", sizes.features), ("EPSILON", EPSILON)):
        text = text.replace(word, str(value))
    head = f'<ir_version: {IR_VERSION}, opset_import: ["" : {OPSET}, "com.microsoft" : 1]>'
    model = onnx.parser.parse_model(head + text)
    used = set(_names(model.graph))
    for name, value in constants.items():
        if name in used:
            array = np.ascontiguousarray(value).reshape(value.shape)
            model.graph.initializer.append(numpy_helper.from_array(array, name))
    onnx.checker.check_model(model)
    return model


def _names(graph: onnx.GraphProto) -> Iterator[str]:
    """Everything that a node reads, in the graph or in those inside it."""
    for node in graph.node:
        yield from node.input
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _names(attribute.g)
    yield from (value.name for value in graph.output)


def session(model: onnx.ModelProto, threads: int) -> ort.InferenceSession:
    """The model on ONNX Runtime, with the settings of `keras_seq.serving`."""
    return ort.InferenceSession(
        model.SerializeToString(),
        session_options(threads),
        providers=["CPUExecutionProvider"],
        disabled_optimizers=["SkipLayerNormFusion"],
    )
