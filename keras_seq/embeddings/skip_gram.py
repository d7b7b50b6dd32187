"""The skip-gram model of word2vec."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq.embeddings import skip_gram_losses as losses
from keras_seq.embeddings.counted_vocabulary import CountedVocabulary
from keras_seq.embeddings.huffman_tree import HuffmanTree
from keras_seq.embeddings.negative_sampling import NoiseDistribution
from keras_seq.embeddings.skip_gram_pairs import SkipGramPairs, Windows, check_pairs
from keras_seq.embeddings.vector_model import VectorModel
from keras_seq.embeddings.word_vectors import WordVectors
from keras_seq.recurrent.cell import Tensor

_STEPS_AT_ONCE = 16  # one takes about a millisecond, and so does what Keras does between two
LOSSES = ("full_softmax", "hierarchical_softmax", "negative_sampling")


@keras.saving.register_keras_serializable(package="keras_seq")
class SkipGram(VectorModel):
    """Learns a vector for each word, from which the words around it can be told.

    Mikolov et al. 2013a (https://arxiv.org/abs/1301.3781) and 2013b (https://arxiv.org/abs/1310.4546). A word has a
    vector v as a centre and, but for the hierarchical softmax, another one, u, as a context. What is minimised is the
    sum over all pairs of a centre c and a context t of

        full_softmax           -log p(t | c),  p(t | c) = exp(u_t ∙ v_c) / Σ_w exp(u_w ∙ v_c)      2013b, equation 2
        hierarchical_softmax   -log p(t | c),  p(t | c) = Π_n σ(± u_n ∙ v_c), the nodes n on the
                               way to t in a Huffman tree                                           2013b, equation 3
        negative_sampling      -log σ(u_t ∙ v_c) - negatives E_w[log σ(-u_w ∙ v_c)], the noise
                               words w drawn by count^noise_power                                   2013b, equation 4

    The full softmax goes through the whole vocabulary for each centre, the hierarchical one through a path of about
    log2(words) nodes for each pair. Negative sampling is the fastest by far and gives the vectors that are used.

    `compile` without an optimizer takes that of word2vec: stochastic gradient descent with a learning rate that falls
    linearly from `learning_rate` to `end_learning_rate` over the epochs of one `fit`. The gradient is that of the sum
    over a batch's pairs, so the rate means what it means there; the loss that `fit` reports is the mean over pairs.
    A row in more than `row_limit` terms of a batch is moved as by `row_limit` of them: the
    batch's gradients are all taken at the same vectors, and without a limit frequent words overshoot.

    Under TensorFlow the gradients of the tables stay sparse, and plain SGD updates only the rows of the batch. The
    other backends compute whole tables and are much slower. So are optimizers with a memory (momentum, Adam).

    Args:
        vocabulary: the words and their counts. The noise and the tree come from the counts.
        features: size of the vectors.
        loss: `"full_softmax"`, `"hierarchical_softmax"` or `"negative_sampling"`.
        negatives: how many noise words a pair is worth, in negative sampling.
        noise_words: how many noise words each piece of text draws and shares among its pairs.
        noise_power: power of the counts in the noise distribution.
        row_limit: see above; infinity for no limit. `None` for what was stable at the default learning rate in long
            trainings: 256 with negative sampling, of fewer than 1000 words 64, as all of their rows are frequent; 64
            with the hierarchical softmax, and 32 with the full one. With a larger learning rate take less.
        learning_rate: the first learning rate of the default optimizer.
        end_learning_rate: the last one.
        seed: of the initial vectors and of the noise.
        name: of the model.

    Call arguments:
        windows: a batch of `SkipGramPairs`: `(centres, contexts, before, after)`.

    Returns:
        Two float32 tensors `(pieces,)`: the sum of the losses of a piece's pairs, and how many pairs it has.

    Raises:
        ValueError: for an unknown loss, or a number out of range.
        TypeError: for a vocabulary of another kind.

    Example:
    >>> from keras_seq.embeddings import CountedVocabulary, SkipGram, SkipGramPairs
    >>> sentences = [["sun", "and", "moon"], ["moon", "and", "stars"]] * 50
    >>> vocabulary = CountedVocabulary.from_sentences(sentences)
    >>> model = SkipGram(vocabulary, features=7)
    >>> model.compile()
    >>> history = model.fit(SkipGramPairs(sentences, vocabulary, window=2), epochs=2, verbose=0)
    >>> model.word_vectors()["moon"].shape
    (7,)
    """

    def __init__(
        self,
        vocabulary: CountedVocabulary,
        features: int = 100,
        loss: str = "negative_sampling",
        *,
        negatives: int = 5,
        noise_words: int = 16,
        noise_power: float = 0.75,
        row_limit: float | None = None,
        learning_rate: float = 0.025,
        end_learning_rate: float = 1e-4,
        seed: int = 0,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(vocabulary, name=name, **kwargs)
        if loss not in LOSSES:
            raise ValueError(f"`loss` must be one of {', '.join(map(repr, LOSSES))}. Received: loss={loss!r}")
        for key, value in (("features", features), ("negatives", negatives), ("noise_words", noise_words)):
            if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
                raise ValueError(f"`{key}` must be a positive integer. Received: {key}={value!r}")
        if row_limit is None:
            row_limit = _row_limit(loss, len(vocabulary))
        if not row_limit > 0:
            raise ValueError(f"`row_limit` must be positive. Received: row_limit={row_limit!r}")
        self.features = int(features)
        self.loss_name = loss
        self.negatives = int(negatives)
        self.noise_words = int(noise_words)
        self.noise_power = noise_power
        self.row_limit = row_limit
        self.learning_rate = learning_rate
        self.end_learning_rate = end_learning_rate
        self.seed = seed
        self._noise = self._tree = None
        outputs = len(vocabulary)
        if loss == "negative_sampling":
            self._noise = NoiseDistribution(vocabulary.counts, noise_power)
            self._noise_seed = keras.random.SeedGenerator(seed)
        elif loss == "hierarchical_softmax":
            self._tree = HuffmanTree(vocabulary.counts)
            outputs = self._tree.num_nodes
        self.pair_loss = keras.metrics.Mean(name="pair_loss")
        reach = 0.5 / self.features  # word2vec's
        self.centre_vectors = self.add_weight(
            shape=(len(vocabulary), self.features),
            initializer=keras.initializers.RandomUniform(-reach, reach, seed=seed),
            name="centre_vectors",
        )
        self.output_vectors = self.add_weight(
            shape=(outputs, self.features), initializer="zeros", name="output_vectors"
        )
        self.built = True

    def call(self, windows: Windows | Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The summed loss of each piece, and its number of pairs."""
        centres, contexts, before, after = windows
        pairs, of_centre, of_context = losses.band(before, after, contexts.shape[1])
        if self._noise is not None:
            loss = self._negative_sampling(centres, contexts, pairs, of_centre, of_context)
        elif self._tree is not None:
            loss = self._hierarchical_softmax(centres, contexts, pairs, of_centre, of_context)
        else:
            loss = self._full_softmax(centres, contexts, pairs, of_centre, of_context)
        return loss, ops.sum(of_centre, axis=1)

    def _negative_sampling(
        self, centres: Tensor, contexts: Tensor, pairs: Tensor, of_centre: Tensor, of_context: Tensor
    ) -> Tensor:
        pieces = ops.shape(centres)[0]
        noise = self._noise.sample((pieces, self.noise_words), seed=self._noise_seed)
        share = ops.sum(of_centre, axis=1, keepdims=True) * (self.negatives / self.noise_words)
        # Contexts and noise words are taken at once, so that their table has one gradient.
        ids = ops.concatenate([contexts, noise], axis=1)
        terms = ops.concatenate([of_context, ops.repeat(share, self.noise_words, axis=1)], axis=1)
        return losses.negative_sampling_loss(
            losses.take_rows(self.centre_vectors, centres),
            losses.take_rows(self.output_vectors, ids),
            pairs,
            of_centre,
            self.negatives,
            losses.damping(self.centre_vectors, centres, of_centre * (1 + self.negatives), self.row_limit),
            losses.damping(self.output_vectors, ids, terms, self.row_limit),
        )

    def _hierarchical_softmax(
        self, centres: Tensor, contexts: Tensor, pairs: Tensor, of_centre: Tensor, of_context: Tensor
    ) -> Tensor:
        nodes = ops.take(ops.convert_to_tensor(self._tree.nodes), contexts, axis=0)
        signs = ops.take(ops.convert_to_tensor(self._tree.signs), contexts, axis=0)
        counts = self.vocabulary.counts
        decisions = float(self._tree.lengths @ counts / counts.sum())  # of a pair, on average
        terms = ops.expand_dims(of_context, 2) * ops.abs(signs)
        return losses.hierarchical_softmax_loss(
            self._damped_rows(self.centre_vectors, centres, of_centre * decisions),
            self._damped_rows(self.output_vectors, nodes, terms),
            signs,
            pairs,
        )

    def _full_softmax(
        self, centres: Tensor, contexts: Tensor, pairs: Tensor, of_centre: Tensor, of_context: Tensor
    ) -> Tensor:
        # Every word is in every softmax, with a probability that comes to be that with which it is a context.
        everything = ops.arange(len(self.vocabulary), dtype="int32")
        terms = losses.count_terms(contexts, of_context, len(self.vocabulary))
        table = self._damped_rows(self.output_vectors, everything, terms)
        vectors = self._damped_rows(self.centre_vectors, centres, of_centre)
        return losses.full_softmax_loss(vectors, ops.take(table, contexts, axis=0), table, pairs, of_centre)

    def _damped_rows(self, table: Tensor, ids: Tensor, terms: Tensor) -> Tensor:
        factors = losses.damping(table, ids, terms, self.row_limit)
        return losses.scale_gradient(losses.take_rows(table, ids), factors)

    def default_optimizer(self, steps: int) -> keras.Optimizer:
        """Gradient descent with a rate that falls linearly over the steps."""
        return keras.optimizers.SGD(
            keras.optimizers.schedules.PolynomialDecay(self.learning_rate, steps, self.end_learning_rate)
        )

    def fit(self, x: SkipGramPairs, *, epochs: int = 1, steps_per_epoch: int | None = None, **kwargs: Any) -> Any:
        """Learns the vectors.

        Args:
            x: where the pairs come from.
            epochs: how often to go through the sentences.
            steps_per_epoch: batches that make up an epoch in the logs and in the falling of the learning rate;
                `x.num_batches` unless given. Needed where the vocabulary's counts are not those of the sentences.
            **kwargs: as in Keras: `verbose`, `callbacks`.

        Returns:
            The history, as in Keras.

        Raises:
            TypeError: if `x` is something else.
            ValueError: for sentences without pairs, or ids outside the vocabulary.
        """
        check_pairs(x)
        self._check_vocabulary(x)
        steps = x.num_batches if steps_per_epoch is None else steps_per_epoch
        at_once = 1
        if steps_per_epoch is None and steps >= _STEPS_AT_ONCE:
            at_once, steps = _STEPS_AT_ONCE, round(steps / _STEPS_AT_ONCE) * _STEPS_AT_ONCE
        next(x.batches())  # what is wrong with the sentences is said here, and not by a thread of the data pipeline
        return self.fit_batches(x.stream(), epochs, steps, at_once, **kwargs)

    def evaluate(self, x: SkipGramPairs, **kwargs: Any) -> Any:
        """The mean loss of the pairs of one epoch.

        Args:
            x: where the pairs come from.
            **kwargs: as in Keras: `verbose`, `callbacks`, `return_dict`.

        Returns:
            As in Keras.

        Raises:
            TypeError: if `x` is something else.
        """
        check_pairs(x)
        self._check_vocabulary(x)
        return self.evaluate_batches(x.batches(), sum(1 for _ in x.batches()), **kwargs)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        """What is minimised: the sum over the batch's pairs."""
        return ops.sum(y_pred[0])

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Tensor]:
        """What is reported: the mean over pairs."""
        loss, pairs = ops.sum(y_pred[0]), ops.sum(y_pred[1])
        self.pair_loss.update_state(loss / ops.maximum(pairs, 1.0), sample_weight=pairs)
        return {"loss": self.pair_loss.result()}

    def word_vectors(self) -> WordVectors:
        """The vectors of the words as centres, which is what word2vec keeps."""
        return WordVectors(self.vocabulary.words, ops.convert_to_numpy(self.centre_vectors))

    def context_log_probs(self, words: Sequence[str | int]) -> np.ndarray:
        """The logarithms of p(context | centre) over the whole vocabulary.

        Args:
            words: the centres, words or ids.

        Returns:
            `(centres, words)`, float32; the probabilities of a row sum to 1.

        Raises:
            ValueError: with negative sampling, which learns no probabilities; for words that are unknown.
        """
        if self._noise is not None:
            raise ValueError(
                'loss="negative_sampling" learns to tell words from noise, and has no probabilities; '
                'take "full_softmax" or "hierarchical_softmax".'
            )
        (ids,) = self.vocabulary.encode([[self._id(word) for word in words]])
        scores = ops.matmul(ops.take(self.centre_vectors, ids, axis=0), ops.transpose(self.output_vectors))
        if self._tree is None:
            return ops.convert_to_numpy(ops.log_softmax(scores, axis=1))
        signs = self._tree.signs
        decisions = -np.logaddexp(0.0, -signs * ops.convert_to_numpy(scores)[:, self._tree.nodes])
        return (decisions * (signs != 0)).sum(axis=2)

    def _id(self, word: str | int) -> int:
        if not isinstance(word, str):
            return word
        if word not in self.vocabulary.index:
            raise ValueError(f"{word!r} is none of the vocabulary's {len(self.vocabulary)} words.")
        return self.vocabulary.index[word]

    def _check_vocabulary(self, pairs: SkipGramPairs) -> None:
        if pairs.vocabulary is not self.vocabulary and pairs.vocabulary.words != self.vocabulary.words:
            raise ValueError(
                "The pairs must be made with the model's vocabulary, as ids would otherwise mean other words. "
                f"Received: {len(pairs.vocabulary)} words there and {len(self.vocabulary)} here."
            )

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            **super().get_config(),
            "features": self.features,
            "loss": self.loss_name,
            "negatives": self.negatives,
            "noise_words": self.noise_words,
            "noise_power": self.noise_power,
            "row_limit": self.row_limit,
            "learning_rate": self.learning_rate,
            "end_learning_rate": self.end_learning_rate,
            "seed": self.seed,
        }


def _row_limit(loss: str, words: int) -> float:
    if loss == "negative_sampling":
        return 256.0 if words >= 1000 else 64.0
    return 64.0 if loss == "hierarchical_softmax" else 32.0
