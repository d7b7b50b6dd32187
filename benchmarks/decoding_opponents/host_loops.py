"""Decode loops that a host drives over hand-made ONNX graphs: one call of ONNX Runtime a token."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import onnxruntime as ort

from decoding_opponents.graphs import encoder_graph, step_graph
from decoding_opponents.weights import Weights
from keras_seq.serving.session import session_options

IMPOSSIBLE = -1e9


class Search(NamedTuple):
    """What is searched for, the same in every loop.

    Attributes:
        start_id: The id before the first token.
        end_id: The id behind the last.
        max_length: The most tokens.
        num_beams: Of beam search; 1 for greedy search.
        alpha: Of its length normalisation, T^alpha.
    """

    start_id: int
    end_id: int
    max_length: int
    num_beams: int
    alpha: float


Decode = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


class HostLoops:
    """The encoder and the steps as sessions, and loops over them.

    Every session runs on the pool of threads that `keras_seq.serving.share_threads` made, as the bundle's does.

    Args:
        weights: Of the model.
        search: What is searched for.
        cell: How the step is made, `"lean"`, `"projected"` or `"GRU"`, see `graphs.CELLS`.
    """

    def __init__(self, weights: Weights, search: Search, cell: str):
        self.weights, self.search, self._cell = weights, search, cell
        self._encoder = _session(encoder_graph(weights, projected=cell == "projected").SerializeToString())
        self._steps: dict[str, ort.InferenceSession] = {}

    def loops(self) -> dict[str, Decode]:
        """The loops worth trying: what follows the logits in the graph or in NumPy, with buffers bound or without."""
        if self.search.num_beams == 1:
            return {
                "log-probability and token in the step, IOBinding": self._greedy_bound,
                "logits to NumPy, IOBinding": self._greedy_bound_logits,
                "log-probability and token in the step": self._greedy_best,
            }
        return {
            "all of the beam search in the step, IOBinding": self._beams_bound,
            "all of the beam search in the step": self._beams_whole,
            "TopK of each row in the step, the rest in NumPy": self._beams_top,
        }

    def ids_alone(self) -> dict[str, Decode]:
        """The same for greedy search without scores."""
        return {
            "token in the step, IOBinding": self._greedy_bound_ids,
            "logits to NumPy, IOBinding": lambda source: self._greedy_bound_logits(source, scores=False),
        }

    def natural(self) -> Decode:
        """The loop as it is written first: logits to NumPy, and the search there."""
        return self._beams_natural if self.search.num_beams > 1 else self._greedy_natural

    def _step(self, tail: str) -> ort.InferenceSession:
        if tail not in self._steps:
            graph = step_graph(self.weights, self._cell, tail, self.search.num_beams, self.search.end_id)
            self._steps[tail] = _session(graph.SerializeToString())
        return self._steps[tail]

    def _encode(self, source: np.ndarray) -> dict[str, np.ndarray]:
        lengths = (source != 0).sum(axis=1, dtype="int32")
        outputs = self._encoder.run(None, {"source": source, "lengths": lengths})
        return dict(zip(("values", "keys", "h", "bias"), outputs, strict=True))

    def _greedy_natural(self, source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        step, feeds = self._step("logits"), self._encode(source)

        def run(token: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            feeds["h"], logits = step.run(["next_h", "logits"], {**feeds, "token": token})
            return _likeliest(logits)

        return self._greedy(len(source), run)

    def _greedy_best(self, source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        step, feeds = self._step("best"), self._encode(source)

        def run(token: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            feeds["h"], token, log_prob = step.run(["next_h", "next_token", "log_prob"], {**feeds, "token": token})
            return token, log_prob[:, 0]

        return self._greedy(len(source), run)

    def _greedy_bound(self, source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """State and token go from buffer to buffer; the host reads token and log-probability."""
        log_prob = np.empty((len(source), 1), "float32")
        bound = self._bound_greedy("best", source, {"log_prob": log_prob}, token_out=True)

        def run(token: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return bound()["next_token"].copy(), log_prob[:, 0].copy()

        return self._greedy(len(source), run)

    def _greedy_bound_ids(self, source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        bound = self._bound_greedy("ArgMax", source, {}, token_out=True)
        return self._greedy(len(source), lambda token: (bound()["next_token"].copy(), 0.0))

    def _greedy_bound_logits(self, source: np.ndarray, scores: bool = True) -> tuple[np.ndarray, np.ndarray]:
        logits = np.empty((len(source), self.weights.vocabulary), "float32")
        bound = self._bound_greedy("logits", source, {"logits": logits}, token_out=False)

        def run(token: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            bound(token)
            return _likeliest(logits) if scores else (logits.argmax(axis=1), 0.0)

        return self._greedy(len(source), run)

    def _bound_greedy(
        self, tail: str, source: np.ndarray, outputs: Mapping[str, np.ndarray], *, token_out: bool
    ) -> Callable[..., dict[str, np.ndarray]]:
        feeds = self._encode(source)
        states = {"h": feeds.pop("h")}
        token = np.full(len(source), self.search.start_id)
        if token_out:
            states["token"] = token
        else:
            feeds["token"] = token
        step = BoundStep(self._step(tail), feeds, states, outputs)

        def run(next_token: np.ndarray | None = None) -> dict[str, np.ndarray]:
            if next_token is not None:
                token[:] = next_token
            return step()

        return run

    def _greedy(self, rows: int, step: Callable) -> tuple[np.ndarray, np.ndarray]:
        """The loop of greedy search: `step(token)` gives the next token and its log-probability, each `(rows,)`."""
        token, finished = np.full(rows, self.search.start_id), np.zeros(rows, bool)
        ids, score = [], np.zeros(rows, "float32")
        for _ in range(self.search.max_length):
            token, log_prob = step(token)
            score += np.where(finished, 0, log_prob)
            ids.append(np.where(finished, 0, token))
            finished |= token == self.search.end_id
            if finished.all():
                break
        return np.stack(ids, axis=1), score

    def _first_beams(self, encoded: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The state before the first step, of which only the first beam of each source is in the running."""
        beams, batch = self.search.num_beams, len(encoded["h"])
        score = np.tile(np.array([0] + [IMPOSSIBLE] * (beams - 1), "float32"), batch)[:, np.newaxis]
        return {
            "h": np.repeat(encoded["h"], beams, axis=0),
            "token": np.full(batch * beams, self.search.start_id),
            "score": score,
            "finished": np.zeros((batch * beams, 1), bool),
        }

    def _beams_whole(self, source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        step, feeds = self._step("beams"), self._encode(source)
        feeds.update(self._first_beams(feeds), first_row=_first_rows(len(source), self.search.num_beams))
        states = ("h", "token", "score", "finished")
        names = [*(f"next_{name}" for name in states), "parent", "done"]

        def run() -> tuple[np.ndarray, np.ndarray, bool]:
            *values, parent, done = step.run(names, feeds)
            feeds.update(zip(states, values, strict=True))
            return feeds["token"], parent, done

        tokens, parents = self._beams(run)
        return self._best(tokens, parents, feeds["score"])

    def _beams_bound(self, source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        feeds = self._encode(source)
        states = self._first_beams(feeds)
        del feeds["h"]
        feeds["first_row"] = _first_rows(len(source), self.search.num_beams)
        outputs = {"parent": np.empty(len(states["h"]), "int64"), "done": np.empty((), bool)}
        step = BoundStep(self._step("beams"), feeds, states, outputs)
        last = {}

        def run() -> tuple[np.ndarray, np.ndarray, bool]:
            last.update(step())
            return last["next_token"].copy(), outputs["parent"].copy(), bool(outputs["done"])

        tokens, parents = self._beams(run)
        return self._best(tokens, parents, last["next_score"])

    def _beams_top(self, source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        step = self._step("TopK")
        return self._beams_numpy(source, lambda feeds: step.run(["next_h", "log_probs", "ids"], feeds))

    def _beams_natural(self, source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        step, beams = self._step("logits"), self.search.num_beams

        def run(feeds: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            h, logits = step.run(["next_h", "logits"], feeds)
            ids = np.argpartition(-logits, beams, axis=1)[:, :beams]
            return h, np.take_along_axis(logits, ids, axis=1) - _log_sum_exp(logits), ids

        return self._beams_numpy(source, run)

    def _beams_numpy(self, source: np.ndarray, step: Callable) -> tuple[np.ndarray, np.ndarray]:
        """Beam search in NumPy: `step(feeds)` gives state, and the best continuations of each row."""
        beams, end_id = self.search.num_beams, self.search.end_id
        feeds = self._encode(source)
        first = self._first_beams(feeds)
        feeds.update(h=first["h"], token=first["token"])
        score, finished = first["score"], first["finished"]
        frozen, first_row = score[:beams, 0].copy(), _first_rows(len(source), beams)

        def run() -> tuple[np.ndarray, np.ndarray, bool]:
            nonlocal score, finished
            h, log_probs, ids = step(feeds)
            if finished.any():
                log_probs, ids = np.where(finished, frozen, log_probs), np.where(finished, end_id, ids)
            totals = (log_probs + score).reshape(-1, beams * beams)
            places = np.argsort(-totals, axis=1)[:, :beams]
            parent = (places // beams + first_row).reshape(-1)
            token = np.take_along_axis(ids.reshape(-1, beams * beams), places, axis=1).reshape(-1)
            score = np.take_along_axis(totals, places, axis=1).reshape(-1, 1)
            finished = (token == end_id)[:, np.newaxis]
            feeds.update(h=h[parent], token=token)
            return token, parent, finished.all()

        tokens, parents = self._beams(run)
        return self._best(tokens, parents, score)

    def _beams(self, step: Callable) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """The loop of beam search: `step()` gives tokens, parents, and whether all have ended."""
        tokens, parents = [], []
        for _ in range(self.search.max_length):
            token, parent, done = step()
            tokens.append(token)
            parents.append(parent)
            if done:
                break
        return tokens, parents

    def _best(
        self, tokens: list[np.ndarray], parents: list[np.ndarray], log_probs: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Follows the hypotheses back, and takes the best of each source."""
        beams, rows = self.search.num_beams, np.arange(len(tokens[0]))
        ids = []
        for token, parent in zip(reversed(tokens), reversed(parents), strict=True):
            ids.append(token[rows])
            rows = parent[rows]
        ids = np.stack(ids[::-1], axis=1)
        ended = np.cumsum(ids == self.search.end_id, axis=1) - (ids == self.search.end_id) > 0
        lengths = (~ended).sum(axis=1)
        scores = log_probs[:, 0] / lengths**self.search.alpha
        best = scores.reshape(-1, beams).argmax(axis=1) + np.arange(len(ids) // beams) * beams
        return np.where(ended, 0, ids)[best], scores[best].astype("float32")


class BoundStep:
    """A step whose inputs and outputs are buffers, bound once: each state has two, which change places.

    Args:
        session: The step.
        feeds: Inputs that stay where they are.
        states: Inputs that come from the outputs `next_…` of the step before; what they are at first.
        outputs: Buffers for the other outputs.
    """

    def __init__(
        self,
        session: ort.InferenceSession,
        feeds: Mapping[str, np.ndarray],
        states: Mapping[str, np.ndarray],
        outputs: Mapping[str, np.ndarray],
    ):
        self._session, self._turn = session, 0
        self._feeds, self._outputs = feeds, outputs  # the bindings hold addresses alone
        buffers = [{name: value.copy() for name, value in states.items()} for _ in range(2)]
        names = {value.name for value in session.get_inputs()}
        self._bindings, self._results = [], []
        for old, new in (buffers, buffers[::-1]):
            binding = session.io_binding()
            for name, value in {**feeds, **old}.items():
                if name in names:
                    binding.bind_input(name, "cpu", 0, value.dtype, value.shape, value.ctypes.data)
            results = {f"next_{name}": value for name, value in new.items()}
            for name, value in {**outputs, **results}.items():
                binding.bind_output(name, "cpu", 0, value.dtype, value.shape, value.ctypes.data)
            self._bindings.append(binding)
            self._results.append(results)

    def __call__(self) -> dict[str, np.ndarray]:
        """Makes a step; gives the buffers of the states behind it."""
        turn, self._turn = self._turn, 1 - self._turn
        self._session.run_with_iobinding(self._bindings[turn])
        return self._results[turn]


def _session(model: bytes) -> ort.InferenceSession:
    return ort.InferenceSession(model, session_options(None), providers=["CPUExecutionProvider"])


def _first_rows(batch: int, beams: int) -> np.ndarray:
    return np.arange(batch)[:, np.newaxis] * beams


def _likeliest(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    token = logits.argmax(axis=1)
    log_prob = np.take_along_axis(logits, token[:, np.newaxis], axis=1) - _log_sum_exp(logits)
    return token, log_prob[:, 0]


def _log_sum_exp(logits: np.ndarray) -> np.ndarray:
    largest = logits.max(axis=1, keepdims=True)
    return largest + np.log(np.exp(logits - largest).sum(axis=1, keepdims=True))
