"""Hand-made ONNX graphs of the encoder, and of one step of the decoder for loops that a host drives."""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import numpy_helper

from decoding_opponents.weights import Weights

IR_VERSION, OPSET = 8, 18

ENCODER = """
    encoder (int32[batch, time] source, int32[batch] lengths)
    => (float[batch, time, size] VALUES, float[batch, one, time, units] keys, float[batch, units] h,
        float[batch, one, time] bias)
    {
        embedded = Gather(source_table, source)
        steps_first = Transpose<perm = [1, 0, 2]>(embedded)
        outputs, last = GRU<hidden_size = UNITS, linear_before_reset = 1>(steps_first, W, R, B, lengths)
        squeezed = Squeeze(outputs, axis_1)
        values = Transpose<perm = [1, 0, 2]>(squeezed)
        projected = MatMul(values, memory_kernel)
        keys = Unsqueeze(projected, axis_1)
        h = Squeeze(last, axis_0)
        shape = Shape(source)
        time_64 = Gather(shape, one)
        time = Cast<to = 6>(time_64)
        positions = Range(zero_32, time, one_32)
        column = Unsqueeze(lengths, axis_1)
        valid = Less(positions, column)
        chosen = Where(valid, no_bias, masked)
        bias = Unsqueeze(chosen, axis_1)
        PROJECTED
    }
"""

# The cell as elementary nodes: the embeddings are folded, query and recurrent kernel are one product, the rows of one
# source share its memory, and the new state is c + z (h - c), one node less than z h + (1 - z) c.
LEAN_CELL = """
        merged = Gemm(h, merged_kernel, merged_bias)
        query, recurrent_zr, recurrent_h = Split<axis = 1>(merged, sizes_merged)
        query_4d = Reshape(query, shape_query)
        compared = Add(query_4d, keys)
        hidden = Tanh(compared)
        hidden_2d = Reshape(hidden, shape_rows)
        hidden_transposed = Transpose<perm = [1, 0]>(hidden_2d)
        scores_flat = MatMul(score_row, hidden_transposed)
        shape_bias = Shape<start = 2, end = 3>(bias)
        shape_scores = Concat<axis = 0>(shape_sources, shape_bias)
        scores = Reshape(scores_flat, shape_scores)
        masked = Add(scores, bias)
        attention = Softmax<axis = -1>(masked)
        context_3d = MatMul(attention, values)
        context = Reshape(context_3d, shape_rows)
        from_token = Gather(table, token)
        projected = Gemm(context, context_kernel, from_token)
        input_zr, input_h = Split<axis = 1>(projected, sizes_gates)
        gates = Add(input_zr, recurrent_zr)
        zr = Sigmoid(gates)
        z, r = Split<axis = 1>(zr, sizes_zr)
        reset = Mul(r, recurrent_h)
        inner = Add(input_h, reset)
        candidate = Tanh(inner)
        difference = Sub(h, candidate)
        kept = Mul(z, difference)
        OWN_H = Add(candidate, kept)
        logits = Gemm(OWN_H, output_kernel, output_bias)
"""

# The same with ONNX' own GRU node on one step, as one writes it down first.
GRU_CELL = """
        query = MatMul(h, query_kernel)
        query_4d = Reshape(query, shape_query)
        compared = Add(query_4d, keys)
        hidden = Tanh(compared)
        scores_4d = MatMul(hidden, score_column)
        scores = Squeeze(scores_4d, axis_3)
        masked = Add(scores, bias)
        attention = Softmax<axis = -1>(masked)
        context_3d = MatMul(attention, values)
        context = Reshape(context_3d, shape_rows)
        embedded = Gather(target_table, token)
        inputs = Concat<axis = 1>(embedded, context)
        steps = Unsqueeze(inputs, axis_0)
        first = Unsqueeze(h, axis_0)
        unused, last = GRU<hidden_size = UNITS, linear_before_reset = 1>(steps, W, R, B, , first)
        OWN_H = Squeeze(last, axis_0)
        logits = Gemm(OWN_H, output_kernel, output_bias)
"""
CELLS = {
    "lean": LEAN_CELL,
    # The context goes nowhere but through its kernel, so the encoder can multiply the values by that once a source.
    "projected": LEAN_CELL.replace("Reshape(context_3d, shape_rows)", "Reshape(context_3d, shape_gates)").replace(
        "projected = Gemm(context, context_kernel, from_token)", "projected = Add(context, from_token)"
    ),
    "GRU": GRU_CELL,
}

STEP_INPUTS = (
    "int64[rows] token, float[rows, units] h, float[batch, time, size] values, "
    "float[batch, one, time, units] keys, float[batch, one, time] bias"
)

# What follows the logits, by name: more inputs, the outputs, the nodes.
TAILS = {
    "logits": ("", "float[rows, units] next_h, float[rows, words] logits", ""),
    "ArgMax": (
        "",
        "float[rows, units] next_h, int64[rows] next_token",
        "next_token = ArgMax<axis = 1, keepdims = 0>(logits)",
    ),
    "best": (
        "",
        "float[rows, units] next_h, int64[rows] next_token, float[rows, one] log_prob",
        """
        log_probs = LogSoftmax<axis = -1>(logits)
        log_prob, index = TopK<axis = 1>(log_probs, axis_1)
        next_token = Reshape(index, flat)
        """,
    ),
    "TopK": (
        "",
        "float[rows, units] next_h, float[rows, beams] log_probs, int64[rows, beams] ids",
        """
        all_log_probs = LogSoftmax<axis = -1>(logits)
        log_probs, ids = TopK<axis = 1>(all_log_probs, beams)
        """,
    ),
    # The whole update of the beams: a finished one offers itself once, at no cost.
    "beams": (
        ", float[rows, one] score, bool[rows, one] finished, int64[batch, one] first_row",
        "float[rows, units] next_h, int64[rows] next_token, float[rows, one] next_score, "
        "bool[rows, one] next_finished, int64[rows] parent, bool done",
        """
        all_log_probs = LogSoftmax<axis = -1>(logits)
        log_probs, ids = TopK<axis = 1>(all_log_probs, beams)
        offered = Where(finished, frozen, log_probs)
        offered_ids = Where(finished, end_id, ids)
        totals = Add(offered, score)
        totals_by_source = Reshape(totals, shape_offers)
        ids_by_source = Reshape(offered_ids, shape_offers)
        best, places = TopK<axis = 1>(totals_by_source, beams)
        next_score = Reshape(best, shape_column)
        beam = Div(places, beams)
        row = Add(beam, first_row)
        parent = Reshape(row, flat)
        chosen = GatherElements<axis = 1>(ids_by_source, places)
        next_token = Reshape(chosen, flat)
        token_column = Reshape(chosen, shape_column)
        next_finished = Equal(token_column, end_id)
        finished_32 = Cast<to = 6>(next_finished)
        least = ReduceMin<keepdims = 0>(finished_32)
        done = Cast<to = 9>(least)
        next_h = Gather<axis = 0>(own_h, parent)
        """,
    ),
}


def encoder_graph(weights: Weights, *, projected: bool) -> onnx.ModelProto:
    """`source` and `lengths` to `values`, `keys`, `h` and the `bias` that masks padding.

    Args:
        weights: Of the model.
        projected: Whether the values are multiplied by the context's kernel, for the cell `"projected"`.
    """
    text = ENCODER.replace("VALUES", "projected_values" if projected else "values")
    text = text.replace("PROJECTED", "projected_values = MatMul(values, context_kernel)" if projected else "")
    constants = {
        "source_table": weights.source_table,
        **_native_gru(weights.encoder_zrh),
        "memory_kernel": weights.memory_kernel,
        "context_kernel": weights.lean()["context_kernel"],
        "axis_0": np.array([0]),
        "axis_1": np.array([1]),
        "one": np.array(1),
        "zero_32": np.array(0, "int32"),
        "one_32": np.array(1, "int32"),
        "no_bias": np.array(0, "float32"),
        "masked": np.array(-1e9, "float32"),
    }
    return _model(text, weights, constants)


def step_graph(weights: Weights, cell: str, tail: str, num_beams: int, end_id: int) -> onnx.ModelProto:
    """One step of the decoder.

    Args:
        weights: Of the model.
        cell: See `CELLS`.
        tail: What the step gives, see `TAILS`.
        num_beams: Rows of a source; 1 for greedy search.
        end_id: Of the token that ends a hypothesis.
    """
    inputs, outputs, nodes = TAILS[tail]
    text = f"step ({STEP_INPUTS}{inputs}) => ({outputs}) {{ {CELLS[cell]} {nodes} }}"
    text = text.replace("OWN_H", "own_h" if tail == "beams" else "next_h")  # beams change places before the next step
    units = weights.units
    constants = {
        **weights.lean(),
        **_native_gru(weights.decoder_zrh),
        "target_table": weights.target_table,
        "query_kernel": weights.query_kernel,
        "score_row": weights.score_kernel[np.newaxis],
        "score_column": weights.score_kernel[:, np.newaxis],
        "output_kernel": weights.output_kernel,
        "output_bias": weights.output_bias,
        "sizes_merged": np.array([units, 2 * units, units]),
        "sizes_gates": np.array([2 * units, units]),
        "sizes_zr": np.array([units, units]),
        "shape_query": np.array([-1, num_beams, 1, units]),
        "shape_rows": np.array([-1, units]),
        "shape_gates": np.array([-1, 3 * units]),
        "shape_sources": np.array([-1, num_beams]),
        "shape_offers": np.array([-1, num_beams * num_beams]),
        "shape_column": np.array([-1, 1]),
        "flat": np.array([-1]),
        "axis_0": np.array([0]),
        "axis_1": np.array([1]),
        "axis_3": np.array([3]),
        "beams": np.array([num_beams]),
        "end_id": np.array(end_id),
        "frozen": np.array([[0.0] + [-1e9] * (num_beams - 1)], "float32"),
    }
    return _model(text, weights, constants)


def _native_gru(zrh: tuple[np.ndarray, np.ndarray, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights of the GRU node, whose gates are in Keras' order."""
    kernel, recurrent_kernel, bias = zrh
    return {"W": kernel.T[np.newaxis], "R": recurrent_kernel.T[np.newaxis], "B": bias.reshape(1, -1)}


def _model(text: str, weights: Weights, constants: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    head = f'<ir_version: {IR_VERSION}, opset_import: ["" : {OPSET}]>'
    model = onnx.parser.parse_model(head + text.replace("UNITS", str(weights.units)))
    used = {name for node in model.graph.node for name in node.input}
    for name, value in constants.items():
        if name in used:
            model.graph.initializer.append(
                numpy_helper.from_array(np.ascontiguousarray(value).reshape(value.shape), name)
            )
    onnx.checker.check_model(model)
    return model
