"""The GloVe model."""

from __future__ import annotations

import numbers
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from keras_seq.embeddings.counted_vocabulary import CountedVocabulary
from keras_seq.embeddings.skip_gram_losses import take_rows
from keras_seq.embeddings.vector_model import VectorModel
from keras_seq.embeddings.word_vectors import WordVectors
from keras_seq.recurrent.cell import Tensor

if TYPE_CHECKING:
    import scipy.sparse


@keras.saving.register_keras_serializable(package="keras_seq")
class GloVe(VectorModel):
    """Learns a vector for each word from how often words stand near each other.

    Pennington et al. 2014 (https://aclanthology.org/D14-1162), equation 8: over the entries X_ij > 0 of a
    co-occurrence matrix it minimises

        Σ f(X_ij) (w_i ∙ w̃_j + b_i + b̃_j - log X_ij)²,    f(x) = min(1, (x / x_max)^power)

    with vectors w and biases b of words, and others, w̃ and b̃, of words as contexts. In the course's notation w_i is θ_i
    and w̃_j is e_j. The word vectors are w + w̃, as in the paper.

    `compile` without an optimizer takes the paper's, AdaGrad with a rate of 0.05. The gradient is that of the sum
    over a batch's entries; the loss that `fit` reports is the mean over entries. Under TensorFlow the squares that
    AdaGrad sums are those of single entries, as in the authors' program; other backends sum the entries of a batch
    first. Hence the size of a batch matters little to what TensorFlow learns from it.

    Args:
        vocabulary: the words of the matrix' rows and columns.
        features: size of the vectors.
        x_max: from which count on an entry has its full weight.
        power: of the weight below that.
        learning_rate: of the default optimizer.
        seed: of the initial vectors.
        name: of the model.

    Call arguments:
        entries: `(rows, columns, counts)`, each `(entries,)`; ids, ids and X.

    Returns:
        Float32 `(entries,)`: the weighted squared errors.

    Raises:
        ValueError: for a number out of range.
        TypeError: for a vocabulary of another kind.

    Example:
    >>> from keras_seq.embeddings import CountedVocabulary, GloVe, cooccurrence_matrix
    >>> sentences = [["sun", "and", "moon"], ["moon", "and", "stars"]]
    >>> vocabulary = CountedVocabulary.from_sentences(sentences)
    >>> model = GloVe(vocabulary, features=7)
    >>> model.compile()
    >>> history = model.fit(cooccurrence_matrix(sentences, vocabulary), epochs=2, verbose=0)
    >>> model.word_vectors()["moon"].shape
    (7,)
    """

    def __init__(
        self,
        vocabulary: CountedVocabulary,
        features: int = 100,
        *,
        x_max: float = 100.0,
        power: float = 0.75,
        learning_rate: float = 0.05,
        seed: int = 0,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(vocabulary, name=name, **kwargs)
        if isinstance(features, bool) or not isinstance(features, numbers.Integral) or features < 1:
            raise ValueError(f"`features` must be a positive integer. Received: features={features!r}")
        for key, value in (("x_max", x_max), ("power", power)):
            if not 0 < value < np.inf:
                raise ValueError(f"`{key}` must be a positive number. Received: {key}={value!r}")
        self.features = int(features)
        self.x_max = float(x_max)
        self.power = float(power)
        self.learning_rate = learning_rate
        self.seed = seed
        self.entry_loss = keras.metrics.Mean(name="entry_loss")
        reach, size = 0.5 / self.features, len(vocabulary)

        def weight(kind: str, seed: int) -> tuple[Any, Any]:
            initializer = keras.initializers.RandomUniform(-reach, reach, seed=seed)
            return (
                self.add_weight(shape=(size, self.features), initializer=initializer, name=f"{kind}_vectors"),
                self.add_weight(shape=(size,), initializer="zeros", name=f"{kind}_biases"),
            )

        self.row_vectors, self.row_biases = weight("row", seed)
        self.column_vectors, self.column_biases = weight("column", seed + 1)
        self.built = True

    def call(self, entries: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """The weighted squared error of each entry."""
        rows, columns, counts = entries
        products = ops.sum(take_rows(self.row_vectors, rows) * take_rows(self.column_vectors, columns), axis=1)
        biases = take_rows(self.row_biases, rows) + take_rows(self.column_biases, columns)
        weights = ops.minimum(1.0, (counts / self.x_max) ** self.power)
        return weights * (products + biases - ops.log(counts)) ** 2

    def default_optimizer(self, steps: int) -> keras.Optimizer:
        """AdaGrad, whose sums of squares begin with 1 as in the authors' program."""
        return keras.optimizers.Adagrad(self.learning_rate, initial_accumulator_value=1.0)

    def fit(
        self, x: scipy.sparse.sparray, *, epochs: int = 1, batch_size: int = 16_384, seed: int = 0, **kwargs: Any
    ) -> Any:
        """Learns the vectors.

        Args:
            x: co-occurrence counts, a SciPy sparse matrix `(words, words)`.
            epochs: how often to go through its entries, in another order each time.
            batch_size: how many entries to put into a batch.
            seed: of the order.
            **kwargs: as in Keras: `verbose`, `callbacks`.

        Returns:
            The history, as in Keras.

        Raises:
            TypeError: if `x` is no sparse matrix.
            ValueError: if it has another size than the vocabulary, no entry, or entries that are not positive.
        """
        entries = self._entries(x)
        batches = _batches(entries, batch_size, np.random.default_rng(seed))
        steps = -(-len(entries[0]) // batch_size)
        return self.fit_batches(batches, epochs, steps, **kwargs)

    def evaluate(self, x: scipy.sparse.sparray, *, batch_size: int = 16_384, **kwargs: Any) -> Any:
        """The mean weighted squared error over the entries of a matrix.

        Args:
            x: as in `fit`.
            batch_size: the same.
            **kwargs: as in Keras: `verbose`, `callbacks`, `return_dict`.

        Returns:
            As in Keras.
        """
        entries = self._entries(x)
        starts = range(0, len(entries[0]), batch_size)
        batches = (tuple(part[start : start + batch_size] for part in entries) for start in starts)
        return self.evaluate_batches(batches, len(starts), **kwargs)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        """What is minimised: the sum over the batch's entries."""
        return ops.sum(y_pred)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Tensor]:
        """What is reported: the mean over entries."""
        self.entry_loss.update_state(y_pred)
        return {"loss": self.entry_loss.result()}

    def word_vectors(self) -> WordVectors:
        """The word vectors, w + w̃."""
        total = ops.convert_to_numpy(self.row_vectors) + ops.convert_to_numpy(self.column_vectors)
        return WordVectors(self.vocabulary.words, total)

    def _entries(self, matrix: scipy.sparse.sparray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if not hasattr(matrix, "tocoo"):
            raise TypeError(
                "GloVe learns from a sparse matrix of SciPy, as `cooccurrence_matrix` gives it. "
                f"Received: x of type {type(matrix).__name__}"
            )
        size = len(self.vocabulary)
        if matrix.shape != (size, size):
            raise ValueError(
                f"The matrix must have a row and a column for each of the {size} words. Received: shape {matrix.shape}"
            )
        entries = matrix.tocoo()
        if not entries.nnz or not (entries.data > 0).all():
            raise ValueError(
                "The entries of the matrix must be positive, and there must be some. Received: "
                f"{entries.nnz} entries, the smallest {entries.data.min() if entries.nnz else None}"
            )
        return entries.row.astype("int32"), entries.col.astype("int32"), entries.data.astype("float32")

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            **super().get_config(),
            "features": self.features,
            "x_max": self.x_max,
            "power": self.power,
            "learning_rate": self.learning_rate,
            "seed": self.seed,
        }


def _batches(
    entries: tuple[np.ndarray, np.ndarray, np.ndarray], batch_size: int, random: np.random.Generator
) -> Iterator[tuple[np.ndarray, ...]]:
    """The entries in batches, over and over, shuffled anew each time."""
    while True:
        order = random.permutation(len(entries[0]))
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            yield tuple(part[chosen] for part in entries)
