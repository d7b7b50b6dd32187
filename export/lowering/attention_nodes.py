"""Multi-head attention as ONNX nodes: of standard operators, and of the fused ones of ONNX Runtime.

Each method puts one marker into the graph being traced, and stands for the nodes that its docstring shows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_seq.export.lowering.attention_weights import AttentionWeights
from keras_seq.export.lowering.markers import GraphWriter, Markers

__all__ = ["AttentionNodes"]


@dataclass(frozen=True)
class AttentionNodes:
    """The nodes of one attention layer.

    Attributes:
        weights: Of the layer.
        markers: Of the tracing.
    """

    weights: AttentionWeights
    markers: Markers

    def heads(self, inputs: tf.Tensor, *projections: str) -> list[tf.Tensor]:
        """Projects and splits into heads, in one product: MatMul, Add, Split; each part Reshape, Transpose.

        Args:
            inputs: (batch, steps, features).
            projections: Of `"query"` (scaled by 1 / sqrt(key_dim)), `"key"` and `"value"`.

        Returns:
            For each projection (batch, heads, steps, size).
        """
        shapes = [self._heads_of(name) for name in projections]

        def emit(writer: GraphWriter, names: list[str]) -> list[str]:
            parts = self._project(writer, names[0], *projections, scaled=True)
            return [_split_heads(writer, part, *shape) for part, shape in zip(parts, shapes, strict=True)]

        batch, steps = inputs.shape[:2]
        outputs = [(tf.float32, [batch, heads, steps, size]) for heads, size in shapes]
        return self.markers.place(emit, [_float(inputs)], outputs)

    def attend(
        self,
        query: tf.Tensor,
        keys: tf.Tensor,
        values: tf.Tensor,
        bias: tf.Tensor | None,
        factor: tf.Tensor | None = None,
        with_scores: bool = False,
    ) -> list[tf.Tensor]:
        """The context of queries that are scaled: MatMul, Add, Softmax, MatMul, Transpose, Reshape.

        Heads that share keys are queries of one head, so that nothing is repeated.

        Args:
            query: (batch, num_heads, queries, key_dim).
            keys: (batch, num_key_value_heads, steps, key_dim).
            values: (batch, num_key_value_heads, steps, value_dim).
            bias: Broadcasts to (batch, num_heads, queries, steps); None for none.
            factor: Of the scores, likewise.
            with_scores: Whether the scores are returned too.

        Returns:
            The context (batch, queries, num_heads * value_dim), and the scores (batch, num_heads, queries, steps).
        """
        weights = self.weights
        optional = [tensor for tensor in (bias, factor) if tensor is not None]
        inputs = [query, keys, values, *map(_float, optional)]

        def emit(writer: GraphWriter, names: list[str]) -> list[str]:
            query_name, keys_name, values_name, *rest = names
            (transposed,) = writer.node("Transpose", [keys_name], perm=[0, 1, 3, 2])
            (scores,) = writer.node("MatMul", [self._grouped(writer, query_name, weights.key_dim), transposed])
            if weights.is_grouped:
                (scores,) = writer.node("Reshape", [scores, self._ungrouped(writer, query_name)])
            if bias is not None:
                (scores,) = writer.node("Add", [scores, rest[0]])
            (scores,) = writer.node("Softmax", [scores], axis=-1)
            if factor is not None:
                (scores,) = writer.node("Mul", [scores, rest[-1]])
            weighting = scores
            if weights.is_grouped:
                (steps,) = writer.node("Shape", [keys_name], start=2, end=3)
                folded = [writer.constant(np.array([0, weights.num_key_value_heads, -1]), "group_axes"), steps]
                (weighting,) = writer.node("Reshape", [scores, *writer.node("Concat", folded, axis=0)])
            (context,) = writer.node("MatMul", [weighting, values_name])
            if weights.is_grouped:
                (context,) = writer.node("Reshape", [context, self._ungrouped(writer, query_name)])
            merged = _merge_heads(writer, context, weights.num_heads * weights.value_dim)
            return [merged, scores][: 1 + with_scores]

        batch, heads, queries, _ = query.shape
        outputs = [(tf.float32, [batch, queries, heads * weights.value_dim])]
        outputs += [(tf.float32, [batch, heads, queries, keys.shape[2]])] * with_scores
        return self.markers.place(emit, inputs, outputs)

    def output(self, context: tf.Tensor) -> tf.Tensor:
        """The projection of the context (batch, queries, num_heads * value_dim): MatMul, Add."""

        def emit(writer: GraphWriter, names: list[str]) -> list[str]:
            return self._project(writer, names[0], "output")

        shape = [*context.shape[:2], *self.weights.sizes("output")]
        return self.markers.place(emit, [context], [(tf.float32, shape)])[0]

    def fused_self(self, inputs: tf.Tensor, mask: tf.Tensor | None, causal: bool, hidden: float) -> tf.Tensor:
        """The context of a sequence that attends to itself: one `com.microsoft.Attention`, projections included.

        Args:
            inputs: (batch, steps, features).
            mask: int32, 1 where a step is visible: (batch, steps) or (batch, steps, steps); None for none.
            causal: Whether step i sees the steps up to i alone.
            hidden: What is added to the score of a step that `mask` hides. The future's is the lowest float.

        Returns:
            (batch, steps, num_heads * value_dim).
        """
        weights = self.weights
        kernel, bias = weights.packed("query", "key", "value")
        # Without a bias, which the operator says is optional, onnxruntime 1.31 ends the process.
        bias = np.zeros(kernel.shape[1], "float32") if bias is None else bias
        shape = [*inputs.shape[:2], weights.num_heads * weights.value_dim]

        def emit(writer: GraphWriter, names: list[str]) -> list[str]:
            given = [names[0], self._constant(writer, kernel, "qkv.kernel"), self._constant(writer, bias, "qkv.bias")]
            return writer.contrib(
                "Attention",
                [*given, *names[1:]],
                [shape],
                num_heads=weights.num_heads,
                qkv_hidden_sizes=weights.sizes("query", "key", "value"),
                unidirectional=int(causal),
                mask_filter_value=float(hidden),
            )

        tensors = [_float(inputs)] + ([] if mask is None else [mask])
        return self.markers.place(emit, tensors, [(tf.float32, shape)])[0]

    def fused_step(
        self, inputs: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, bias: tf.Tensor | None
    ) -> list[tf.Tensor]:
        """Further steps and the cache of those before: MatMul, Add, Split, one `com.microsoft.MultiHeadAttention`.

        Args:
            inputs: (batch, new steps, features).
            keys: Of the steps before, (batch, num_heads, past, key_dim).
            values: Likewise.
            bias: (1 or batch, 1 or num_heads, 1 or new steps, past + new steps); None for none.

        Returns:
            The context (batch, new steps, num_heads * key_dim), and keys and values with the new ones behind.
        """
        weights = self.weights
        batch, steps = inputs.shape[:2]
        cached = [batch, weights.num_heads, None, weights.key_dim]
        shapes = [[batch, steps, weights.num_heads * weights.key_dim], cached, cached]

        def emit(writer: GraphWriter, names: list[str]) -> list[str]:
            given = self._project(writer, names[0], "query", "key", "value")
            wide = self._widened(writer, names[3:], names[0], bias, steps)
            return writer.contrib(
                "MultiHeadAttention",
                [*given, "", "", wide, *names[1:3]],
                shapes,
                num_heads=weights.num_heads,
            )

        tensors = [_float(inputs), keys, values] + ([] if bias is None else [_float(bias)])
        return self.markers.place(emit, tensors, [(tf.float32, shape) for shape in shapes])

    def fused_memory(self, inputs: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, bias: tf.Tensor | None) -> tf.Tensor:
        """The context of a memory that is split into heads: MatMul, Add, one `com.microsoft.MultiHeadAttention`.

        Args:
            inputs: (batch, queries, features).
            keys: (batch, num_heads, steps, key_dim).
            values: Likewise.
            bias: (1 or batch, 1 or num_heads, 1 or queries, steps); None for none.

        Returns:
            (batch, queries, num_heads * key_dim).
        """
        weights = self.weights
        queries = inputs.shape[1]
        shape = [inputs.shape[0], queries, weights.num_heads * weights.key_dim]

        def emit(writer: GraphWriter, names: list[str]) -> list[str]:
            given = self._project(writer, names[0], "query")
            wide = self._widened(writer, names[3:], names[0], bias, queries)
            return writer.contrib(
                "MultiHeadAttention", [*given, *names[1:3], "", "", wide], [shape], num_heads=weights.num_heads
            )

        tensors = [_float(inputs), keys, values] + ([] if bias is None else [_float(bias)])
        return self.markers.place(emit, tensors, [(tf.float32, shape)])[0]

    def _heads_of(self, projection: str) -> tuple[int, int]:
        weights = self.weights
        heads = weights.num_heads if projection == "query" else weights.num_key_value_heads
        return heads, weights.value_dim if projection == "value" else weights.key_dim

    def _constant(self, writer: GraphWriter, value: np.ndarray, name: str) -> str:
        return writer.constant(value, f"{self.weights.name}.{name}")

    def _project(self, writer: GraphWriter, inputs: str, *projections: str, scaled: bool = False) -> list[str]:
        """The projections of the same inputs, (batch, steps, heads * size) each."""
        label = "qkv" if projections == ("query", "key", "value") else "_".join(projections)
        label += ".scaled" * (scaled and "query" in projections)
        kernel, bias = self.weights.packed(*projections, scaled=scaled)
        (outputs,) = writer.node("MatMul", [inputs, self._constant(writer, kernel, f"{label}.kernel")])
        if bias is not None:
            (outputs,) = writer.node("Add", [outputs, self._constant(writer, bias, f"{label}.bias")])
        if len(projections) == 1:
            return [outputs]
        sizes = writer.constant(np.array(self.weights.sizes(*projections)), "sizes")
        return writer.node("Split", [outputs, sizes], len(projections), axis=2)

    def _grouped(self, writer: GraphWriter, query: str, size: int) -> str:
        """The heads of a group as further queries of the one head of keys that they share."""
        if not self.weights.is_grouped:
            return query
        shape = np.array([0, self.weights.num_key_value_heads, -1, size])
        return writer.node("Reshape", [query, writer.constant(shape, "group_shape")])[0]

    def _ungrouped(self, writer: GraphWriter, query: str) -> str:
        """The shape (batch, num_heads, queries, whatever is last)."""
        (queries,) = writer.node("Shape", [query], start=2, end=3)
        first = writer.constant(np.array([0, self.weights.num_heads]), "head_axes")
        return writer.node("Concat", [first, queries, writer.constant(np.array([-1]), "last_axis")], axis=0)[0]

    def _widened(
        self, writer: GraphWriter, names: list[str], inputs: str, bias: tf.Tensor | None, queries: int | None
    ) -> str:
        """The bias with as many rows as there are queries, which the fused node insists on."""
        if not names or bias.shape[2] != 1 or queries == 1:
            return names[0] if names else ""
        one = writer.constant(np.array([1]), "one")
        if queries is None:
            (count,) = writer.node("Shape", [inputs], start=1, end=2)
        else:
            count = writer.constant(np.array([queries]), "queries")
        return writer.node("Expand", [names[0], *writer.node("Concat", [one, one, count, one], axis=0)])[0]


def _split_heads(writer: GraphWriter, inputs: str, heads: int, size: int) -> str:
    shape = writer.constant(np.array([0, 0, heads, size]), "heads_shape")
    return writer.node("Transpose", writer.node("Reshape", [inputs, shape]), perm=[0, 2, 1, 3])[0]


def _merge_heads(writer: GraphWriter, context: str, size: int) -> str:
    # The queries are -1 and not 0, "as it was": the converter takes a Transpose of axes of one element for a Reshape,
    # and then two of those for one, though the second 0 would be another axis of the first's input.
    shape = writer.constant(np.array([0, -1, size]), "merged_shape")
    return writer.node("Reshape", [*writer.node("Transpose", [context], perm=[0, 2, 1, 3]), shape])[0]


def _float(tensor: tf.Tensor) -> tf.Tensor:
    return tf.cast(tensor, tf.float32)
