"""The encoder as a hand-made ONNX graph, on ONNX Runtime and, of standard operators alone, on OpenVINO."""

from collections.abc import Callable

import numpy as np
import onnx

from transformer_opponents.onnx_text import (
    FEED_FORWARD,
    GELU,
    OUTPUT_PROJECTION,
    PORTABLE_GELU,
    parsed,
    session,
    stacked,
)
from transformer_opponents.weights import Weights

START = """
        padding = Equal(ids, pad_id)
        present = Not(padding)
        keep = Cast<to = 6>(present)
        bias_2d = Where(padding, masked, float_0)
        bias = Unsqueeze(bias_2d, axes_1_2)
        shape = Shape(ids)
        time = Slice(shape, one, two)
        source_position = Slice(positions, zero, time, zero)
        embedded_source = Gather(source_table, ids)
        encoder_in = Add(embedded_source, source_position)
"""
PACKED = "@attended = com.microsoft.Attention<num_heads = HEADS>(@attention_in, @qkv_kernel, @qkv_bias, keep)"
PORTABLE = """
        @qkv_product = MatMul(@attention_in, @qkv_kernel)
        @qkv_biased = Add(@qkv_product, @qkv_bias)
        @q, @k, @v = Split<axis = 2>(@qkv_biased, sizes_qkv)
        @q_4d = Reshape(@q, shape_heads)
        @k_4d = Reshape(@k, shape_heads)
        @v_4d = Reshape(@v, shape_heads)
        @queries = Transpose<perm = [0, 2, 1, 3]>(@q_4d)
        @keys = Transpose<perm = [0, 2, 3, 1]>(@k_4d)
        @values = Transpose<perm = [0, 2, 1, 3]>(@v_4d)
        @products = MatMul(@queries, @keys)
        @scaled_products = Mul(@products, head_scale)
        @logits = Add(@scaled_products, bias)
        @scores = Softmax<axis = -1>(@logits)
        @context = MatMul(@scores, @values)
        @context_4d = Transpose<perm = [0, 2, 1, 3]>(@context)
        @attended = Reshape(@context_4d, shape_merged)
"""
LAYER = f"""
        @attention_in = LayerNormalization<epsilon = EPSILON>(INPUT, @attention_norm_gamma, @attention_norm_beta)
        ATTENTION
        {OUTPUT_PROJECTION}
        @summed = Add(INPUT, @projected_biased)
        {FEED_FORWARD}
"""
END = "encoded = LayerNormalization<epsilon = EPSILON>(e_out, encoder_gamma, encoder_beta)"


def encoder_nodes(weights: Weights, *, portable: bool = False) -> str:
    """The text of the nodes from `ids` to `encoded`; `bias` and `keep` tell padding.

    Args:
        weights: Of the model.
        portable: Whether to use standard operators alone.
    """
    layer = LAYER.replace("ATTENTION", PORTABLE if portable else PACKED)
    layer = layer.replace("GELU", PORTABLE_GELU if portable else GELU)
    return START + stacked(layer, "e", "encoder_in", weights.sizes.num_layers) + END


def encoder_graph(weights: Weights, *, portable: bool = False) -> onnx.ModelProto:
    """The encoder as a model; arguments as above."""
    nodes = encoder_nodes(weights, portable=portable)
    signature = "encoder (int32[batch, time] ids) => (float[batch, time, FEATURES] encoded)"
    return parsed(f"{signature} {{ {nodes} }}", weights, {})


def hand_encoder(weights: Weights, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """The graph of the fastest nodes on ONNX Runtime."""
    runner = session(encoder_graph(weights), threads)
    return lambda ids: runner.run(None, {"ids": ids})[0]


def openvino_encoder(weights: Weights, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """The graph of standard operators on OpenVINO, in float32."""
    import openvino

    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
    }
    core = openvino.Core()
    model = core.read_model(encoder_graph(weights, portable=True).SerializeToString())
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    return lambda ids: request.infer({"ids": ids})[0].copy()
