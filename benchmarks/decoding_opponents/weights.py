"""The weights of an encoder-decoder with GRU cells and additive attention, as arrays."""

from dataclasses import dataclass

import numpy as np

import keras_seq


@dataclass(frozen=True)
class Weights:
    """What every way to decode is made from; gates are in Keras' order, z r h.

    Attributes:
        source_table: Embeddings of the source's tokens, `(vocabulary, embedding)`.
        target_table: Those of the target's.
        encoder_zrh: Kernel, recurrent kernel and bias `(2, 3 * units)` of the encoder's GRU.
        decoder_zrh: Those of the decoder's; the kernel's rows are those of the embedding, then those of the context.
        query_kernel: `(units, units)`.
        memory_kernel: `(units, units)`.
        score_kernel: `(units,)`.
        output_kernel: `(units, vocabulary)`.
        output_bias: `(vocabulary,)`, with -1e9 for the padding, which is never generated.
    """

    source_table: np.ndarray
    target_table: np.ndarray
    encoder_zrh: tuple[np.ndarray, np.ndarray, np.ndarray]
    decoder_zrh: tuple[np.ndarray, np.ndarray, np.ndarray]
    query_kernel: np.ndarray
    memory_kernel: np.ndarray
    score_kernel: np.ndarray
    output_kernel: np.ndarray
    output_bias: np.ndarray

    @classmethod
    def of(cls, model: keras_seq.Seq2Seq) -> "Weights":
        """Those of a `Seq2Seq` of `GRU`, `AttentionDecoder(GRUCell)` and `BahdanauAttention`."""
        values = {weight.path.split("/", 1)[1]: weight.numpy() for weight in model.weights}
        encoder, cell = f"{model.encoder.name}/gru_cell", f"{model.decoder.name}/gru_cell"
        attention = f"{model.decoder.name}/{model.decoder.attention.name}"
        output_bias = values["output/bias"].copy()
        output_bias[0] = -1e9
        gates = ("kernel", "recurrent_kernel", "bias")
        return cls(
            values["source_embedding/embeddings"],
            values["target_embedding/embeddings"],
            tuple(values[f"{encoder}/{name}"] for name in gates),
            tuple(values[f"{cell}/{name}"] for name in gates),
            values[f"{attention}/query_kernel"],
            values[f"{attention}/memory_kernel"],
            values[f"{attention}/score_kernel"],
            values["output/kernel"],
            output_bias,
        )

    @property
    def units(self) -> int:
        return len(self.score_kernel)

    @property
    def vocabulary(self) -> int:
        return len(self.output_bias)

    def lean(self) -> dict[str, np.ndarray]:
        """The decoder's weights arranged for few operations a step.

        `table`: the embeddings times their part of the input kernel, and the input bias. `context_kernel`: the other
        part. `merged_kernel`, `merged_bias`: query kernel and recurrent kernel side by side, as both take the state.
        """
        kernel, recurrent_kernel, bias = self.decoder_zrh
        embedding = self.target_table.shape[1]
        return {
            "table": self.target_table @ kernel[:embedding] + bias[0],
            "context_kernel": kernel[embedding:],
            "merged_kernel": np.concatenate([self.query_kernel, recurrent_kernel], axis=1),
            "merged_bias": np.concatenate([np.zeros(self.units, "float32"), bias[1]]),
        }
