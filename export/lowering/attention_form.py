"""Which operators a call of attention becomes, and why not the fused one."""

from __future__ import annotations

from dataclasses import dataclass

from keras_seq.export.lowering.attention_weights import AttentionWeights
from keras_seq.export.lowering.target import Target

__all__ = ["AttentionForm", "memory_form", "self_form"]

_FUSED = "1.17"
"""The oldest ONNX Runtime that the fused operators were tried on."""
_RIGHT_BIAS = "1.22"
"""ONNX Runtime up to 1.19 refuses a bias for all heads; 1.20 and 1.21 read that of the first row for every row."""


@dataclass(frozen=True)
class AttentionForm:
    """What a call of attention becomes.

    Attributes:
        operator: The fused operator of ONNX Runtime; empty for plain standard ones.
        reason: Why not the fused one, in one line; empty where it is.
    """

    operator: str
    reason: str = ""


def self_form(
    weights: AttentionWeights,
    target: Target,
    *,
    rotary: bool = False,
    with_scores: bool = False,
    per_head: bool = False,
) -> AttentionForm:
    """Of a whole sequence that attends to itself: projections and attention in one node where it can be.

    Args:
        weights: Of the layer.
        target: What the graph is written for.
        rotary: Whether positions turn queries and keys.
        with_scores: Whether the scores are asked for.
        per_head: Whether the mask is another one for each head.
    """
    obstacle = _obstacle(weights, target, rotary, with_scores)
    if not obstacle and per_head:
        obstacle = "its mask is another one for each head"
    return AttentionForm("", obstacle) if obstacle else AttentionForm("Attention")


def memory_form(
    weights: AttentionWeights,
    target: Target,
    *,
    rotary: bool = False,
    with_scores: bool = False,
    has_bias: bool = False,
    blank: bool = False,
) -> AttentionForm:
    """Of queries that attend to another sequence, or to a cache and themselves.

    Args:
        weights: Of the layer.
        target: What the graph is written for.
        rotary: Whether positions turn queries and keys.
        with_scores: Whether the scores are asked for.
        has_bias: Whether anything is hidden.
        blank: Whether the scores of a query that sees nothing are zero.
    """
    obstacle = _obstacle(weights, target, rotary, with_scores)
    if not obstacle and weights.value_dim != weights.key_dim:
        obstacle = "its values are of another size than its keys"
    if not obstacle and blank:
        obstacle = "its scores are zero where a query sees nothing"
    if not obstacle and has_bias and not target.has(_RIGHT_BIAS):
        obstacle = (
            f"the fused operator reads a mask rightly since onnxruntime {_RIGHT_BIAS}, and "
            f"min_onnxruntime={target.min_onnxruntime!r}"
        )
    return AttentionForm("", obstacle) if obstacle else AttentionForm("MultiHeadAttention")


def _obstacle(weights: AttentionWeights, target: Target, rotary: bool, with_scores: bool) -> str:
    if target.portable:
        return "portable=True keeps to standard operators"
    if not target.has(_FUSED):
        return f"the fused operators need onnxruntime {_FUSED}, and min_onnxruntime={target.min_onnxruntime!r}"
    if rotary:
        return "rotary positions come between its projections and the scores"
    if weights.is_grouped:
        return "its heads share keys, which no fused operator knows on a CPU"
    if with_scores:
        return "its scores are returned"
    return ""
