"""Greedy and beam search of the encoder-decoder as one hand-made ONNX graph, with a cache in its loop.

The beams of a source are the query sequence of the attention, over one pool of cache entries, and a bias says which
entries are a beam's own ancestors. Beams that change places therefore take rows of that bias with them, never caches.
"""

from collections.abc import Callable

import numpy as np
import onnx

from transformer_opponents.encoder_graph import encoder_nodes
from transformer_opponents.onnx_text import (
    FEED_FORWARD,
    GELU,
    MASKED,
    OUTPUT_PROJECTION,
    layer_constants,
    parsed,
    session,
    stacked,
)
from transformer_opponents.weights import END_ID, START_ID, Weights

# Before the loop, for each layer: what its cross attention looks at.
CROSS = """
        @cross_kv_product = MatMul(encoded, @cross_kv_kernel)
        @cross_kv = Add(@cross_kv_product, @cross_kv_bias)
        @cross_k, @cross_v = Split<axis = 2>(@cross_kv, sizes_kv)
        @cross_k_4d = Reshape(@cross_k, shape_heads)
        @cross_v_4d = Reshape(@cross_v, shape_heads)
        @cross_keys = Transpose<perm = [0, 2, 1, 3]>(@cross_k_4d)
        @cross_values = Transpose<perm = [0, 2, 1, 3]>(@cross_v_4d)
"""
LAYER = f"""
        @attention_in = LayerNormalization<epsilon = EPSILON>(INPUT, @attention_norm_gamma, @attention_norm_beta)
        @qkv_product = MatMul(@attention_in, @qkv_kernel)
        @qkv_biased = Add(@qkv_product, @qkv_bias)
        @q, @k, @v = Split<axis = 2>(@qkv_biased, sizes_qkv)
        @attended, @next_keys, @next_values = com.microsoft.MultiHeadAttention<num_heads = HEADS>
            (@q, @k, @v, , , ANCESTRY, @keys, @values)
        {OUTPUT_PROJECTION}
        @self_summed = Add(INPUT, @projected_biased)
        @cross_in = LayerNormalization<epsilon = EPSILON>(@self_summed, @cross_norm_gamma, @cross_norm_beta)
        @query_product = MatMul(@cross_in, @cross_query_kernel)
        @query = Add(@query_product, @cross_query_bias)
        @cross = com.microsoft.MultiHeadAttention<num_heads = HEADS>
            (@query, @cross_keys, @cross_values, , , cross_bias)
        @cross_product = MatMul(@cross, @cross_output_kernel)
        @cross_biased = Add(@cross_product, @cross_output_bias)
        @summed = Add(@self_summed, @cross_biased)
        {FEED_FORWARD}
"""
STEP = """
        embedded = Gather(target_table, token)
        position = Gather(positions, step)
        rows_in = Add(embedded, position)
        decoder_in = Reshape(rows_in, shape_beams)
        LAYERS
        normed = LayerNormalization<epsilon = EPSILON>(d_out, decoder_gamma, decoder_beta)
        normed_rows = Reshape(normed, shape_rows)
        product = MatMul(normed_rows, output_kernel)
        logits = Add(product, output_bias)
        all_log_probs = LogSoftmax<axis = -1>(logits)
        log_probs, offered_ids = TopK<axis = 1>(all_log_probs, beams)
"""
# Tokens up to `end_id` are that, the start, which is never generated, and the padding behind an end.
FINISHED = """
        next_finished = LessOrEqual(TOKEN, end_id)
        finished_32 = Cast<to = 6>(next_finished)
        all_finished_32 = ReduceMin<keepdims = 0>(finished_32)
        all_finished = Cast<to = 9>(all_finished_32)
        go_on = Not(all_finished)
"""
GREEDY = f"""
        likeliest = Where(finished, zero, offered_ids)
        next_token = Reshape(likeliest, flat)
        won = Where(finished, float_0, log_probs)
        next_score = Add(score, won)
        next_found = Concat<axis = 1>(found, likeliest)
        {FINISHED.replace("TOKEN", "likeliest")}
"""
# A finished beam offers itself once, at no cost.
BEAMS = f"""
        offered = Where(finished, frozen, log_probs)
        offered_tokens = Where(finished, zero, offered_ids)
        totals = Add(offered, score)
        totals_by_source = Reshape(totals, shape_offers)
        tokens_by_source = Reshape(offered_tokens, shape_offers)
        best, places = TopK<axis = 1>(totals_by_source, beams)
        next_score = Reshape(best, shape_column)
        beam = Div(places, beams)
        row = Add(beam, first_row)
        parent = Reshape(row, flat)
        chosen = GatherElements<axis = 1>(tokens_by_source, places)
        next_token = Reshape(chosen, flat)
        column = Reshape(chosen, shape_column)
        kept_found = Gather<axis = 0>(found, parent)
        next_found = Concat<axis = 1>(kept_found, column)
        next_ancestors = Gather<axis = 0>(visible, parent)
        {FINISHED.replace("TOKEN", "column")}
"""
# (sources * beams, entries) in the loop, (sources, 1, beams, entries) for the attention.
ANCESTRY = """
        visible = Concat<axis = 1>(ancestors, itself)
        entries = Shape<start = 1, end = 2>(visible)
        shape_ancestry = Concat<axis = 0>(shape_sources, entries)
        ancestry = Reshape(visible, shape_ancestry)
"""
BEFORE = """
        batch = Shape<start = 0, end = 1>(ids)
        rows = Mul(batch, beams)
        source_steps = Shape<start = 1, end = 2>(ids)
        shape_sources = Concat<axis = 0>(batch, one, beams)
        shape_cross = Concat<axis = 0>(shape_sources, source_steps)
        cross_bias = Expand(bias, shape_cross)
        first_token = Expand(start_id, rows)
        shape_rows_0 = Concat<axis = 0>(rows, zero)
        shape_rows_1 = Concat<axis = 0>(rows, one)
        unfinished = Expand(false, shape_rows_1)
        nothing_found = Expand(zero, shape_rows_0)
        shape_cache = Concat<axis = 0>(batch, sizes_cache)
        empty = Expand(float_0, shape_cache)
        shape_each = Concat<axis = 0>(batch, beams)
        frozen_each = Expand(frozen, shape_each)
        no_score = Reshape(frozen_each, shape_column)
"""
BEFORE_BEAMS = """
        no_ancestors = Expand(float_0, shape_rows_0)
        shape_itself = Concat<axis = 0>(batch, beams, beams)
        itself_3d = Expand(diagonal, shape_itself)
        itself = Reshape(itself_3d, shape_rows_beams)
        batch_0d = Squeeze(batch)
        sources = Range(zero_0d, batch_0d, one_0d)
        first_beam = Mul(sources, beams)
        first_row = Unsqueeze(first_beam, one)
"""
AFTER = """
        real = Greater(all_found, zero)
        real_32 = Cast<to = 1>(real)
        length = ReduceSum<keepdims = 1>(real_32, one)
        all_scores = Div(all_log_probs, length)
        scores_by_source = Reshape(all_scores, shape_sources_beams)
        best_beam = ArgMax<axis = 1, keepdims = 1>(scores_by_source)
        best_row_2d = Add(best_beam, first_row)
        best_row = Reshape(best_row_2d, flat)
        best_found = Gather<axis = 0>(all_found, best_row)
        best_scores = Gather<axis = 0>(all_scores, best_row)
        scores = Reshape(best_scores, flat)
"""
AFTER_GREEDY = "scores = Reshape(all_log_probs, flat)"


def generate_graph(weights: Weights, num_beams: int, max_length: int) -> onnx.ModelProto:
    """Sources `ids` to `best_found`, `(batch, steps)`, and `scores`, see the package.

    Args:
        weights: Of the model.
        num_beams: 1 for greedy search.
        max_length: The most tokens.
    """
    num_layers, beam = weights.sizes.num_layers, num_beams > 1
    states = [
        ("int64[rows]", "token", "first_token"),
        ("float[rows, one_]", "score", "no_score"),
        ("bool[rows, one_]", "finished", "unfinished"),
        ("int64[rows, steps]", "found", "nothing_found"),
        *([("float[rows, entries_]", "ancestors", "no_ancestors")] if beam else []),
        *(
            ("float[batch, heads, entries_, size]", f"d{index}_{name}", "empty")
            for index in range(num_layers)
            for name in ("keys", "values")
        ),
    ]
    layer = LAYER.replace("ANCESTRY", "ancestry" if beam else "").replace("GELU", GELU)
    step = (ANCESTRY if beam else "") + STEP.replace("LAYERS", stacked(layer, "d", "decoder_in", num_layers))
    step += BEAMS if beam else GREEDY
    taken = ", ".join(f"{kind} {name}" for kind, name, _ in states)
    given = ", ".join(f"{kind} {_next(name)}" for kind, name, _ in states)
    before = BEFORE + (BEFORE_BEAMS if beam else "") + stacked(CROSS, "d", "", num_layers)
    last = ["unused_token", "all_log_probs", "unused_finished", "all_found" if beam else "best_found"]
    last += [f"unused_{index}" for index in range(len(states) - 4)]
    text = f"""
    generate (int32[batch, time] ids) => (int64[batch, steps] best_found, float[batch] scores)
    {{
        {encoder_nodes(weights)}
        {before}
        {", ".join(last)} = Loop<body = step (int64 step, bool going, {taken}) => (bool go_on, {given}) {{ {step} }}>
            (max_length, true, {", ".join(first for *_, first in states)})
        {AFTER if beam else AFTER_GREEDY}
    }}
    """
    return parsed(text, weights, _constants(weights, num_beams, max_length))


def _next(name: str) -> str:
    """What the loop's body calls the next value of a state."""
    prefix, _, rest = name.rpartition("_")
    return f"{prefix}_next_{rest}" if prefix else f"next_{rest}"


def _constants(weights: Weights, num_beams: int, max_length: int) -> dict[str, np.ndarray]:
    sizes = weights.sizes
    itself = np.where(np.eye(num_beams, dtype=bool), 0.0, MASKED).astype("float32")
    return {
        "target_table": weights.target_table,
        "decoder_gamma": weights.decoder_norm.gamma,
        "decoder_beta": weights.decoder_norm.beta,
        "output_kernel": weights.output.kernel,
        "output_bias": weights.output.bias,
        **dict(layer_constants(weights.decoder, "d")),
        "max_length": np.array(max_length),
        "true": np.array(True),
        "false": np.array(False),
        "zero_0d": np.array(0),
        "one_0d": np.array(1),
        "flat": np.array([-1]),
        "beams": np.array([num_beams]),
        "start_id": np.array(START_ID),
        "end_id": np.array(END_ID),
        "frozen": np.array([[0.0] + [MASKED] * (num_beams - 1)], "float32"),
        "diagonal": itself[np.newaxis],
        "sizes_kv": np.array([sizes.features] * 2),
        "sizes_cache": np.array([sizes.num_heads, 0, sizes.features // sizes.num_heads]),
        "shape_beams": np.array([-1, num_beams, sizes.features]),
        "shape_rows": np.array([-1, sizes.features]),
        "shape_column": np.array([-1, 1]),
        "shape_offers": np.array([-1, num_beams * num_beams]),
        "shape_rows_beams": np.array([-1, num_beams]),
        "shape_sources_beams": np.array([-1, num_beams]),
    }


def hand_generate(
    weights: Weights, num_beams: int, max_length: int, threads: int
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The graph on ONNX Runtime; arguments as above."""
    runner = session(generate_graph(weights, num_beams, max_length), threads)
    return lambda ids: tuple(runner.run(None, {"ids": ids}))
