"""The decoder by hand in PyTorch, with the same arithmetic as the other ways: few operations a step."""

import shutil
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from decoding_opponents.host_loops import IMPOSSIBLE, Decode, Search
from decoding_opponents.weights import Weights

COMPILERS = ("g++", "clang++", "c++")  # torch.compile writes C++ for a processor


class TorchDecoder(torch.nn.Module):
    """An encoder-decoder, in `inference_mode`.

    Args:
        weights: Of the model.
        search: What is searched for.
    """

    def __init__(self, weights: Weights, search: Search):
        super().__init__()
        self.search = search
        kernel, recurrent_kernel, bias = weights.encoder_zrh
        self.encoder = torch.nn.GRU(kernel.shape[0], weights.units, batch_first=True)
        with torch.no_grad():
            for name, value in (
                ("weight_ih_l0", kernel.T),
                ("weight_hh_l0", recurrent_kernel.T),
                ("bias_ih_l0", bias[0]),
                ("bias_hh_l0", bias[1]),
            ):
                z, r, h = np.split(value, 3)  # r z h here
                getattr(self.encoder, name).copy_(torch.tensor(np.concatenate([r, z, h])))
        arrays = {
            **weights.lean(),
            "source_table": weights.source_table,
            "memory_kernel": weights.memory_kernel,
            "score_kernel": weights.score_kernel,
            "output_kernel": weights.output_kernel,
            "output_bias": weights.output_bias,
        }
        for name, value in arrays.items():
            self.register_buffer(name, torch.tensor(value))
        self.units = weights.units

    def encode(self, source: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Values, keys, the bias that masks padding, and the first state."""
        values, last = self.encoder(functional.embedding(source, self.source_table))
        keys = (values @ self.memory_kernel)[:, None]
        return values, keys, torch.where(source == 0, IMPOSSIBLE, 0.0)[:, None], last[0]

    def step(self, token, h, values, keys, bias):
        """The log-probabilities of what comes next, and the next state."""
        # For few rows faster than `linear`, which reads the transposed kernel.
        merged = torch.addmm(self.merged_bias, h, self.merged_kernel)
        query, recurrent_zr, recurrent_h = merged.split([self.units, 2 * self.units, self.units], dim=1)
        hidden = torch.tanh(query.view(len(values), -1, 1, self.units) + keys)
        attention = torch.softmax(hidden @ self.score_kernel + bias, dim=-1)
        context = (attention @ values).view(-1, self.units)
        projected = torch.addmm(self.table[token], context, self.context_kernel)
        input_zr, input_h = projected.split([2 * self.units, self.units], dim=1)
        z, r = torch.sigmoid(input_zr + recurrent_zr).chunk(2, dim=1)
        candidate = torch.tanh(input_h + r * recurrent_h)
        h = candidate + z * (h - candidate)
        return torch.log_softmax(torch.addmm(self.output_bias, h, self.output_kernel), dim=-1), h

    def greedy(self, source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Greedy search, the argmax of each step."""
        values, keys, bias, h = self.encode(torch.from_numpy(source))
        token = torch.full((len(source),), self.search.start_id)
        finished, score, ids = torch.zeros_like(token, dtype=torch.bool), torch.zeros(len(source)), []
        for _ in range(self.search.max_length):
            log_probs, h = self.step(token, h, values, keys, bias)
            best, token = log_probs.max(dim=1)
            score += best.masked_fill(finished, 0.0)
            ids.append(token.masked_fill(finished, 0))
            finished = finished | (token == self.search.end_id)
            if finished.all():
                break
        return torch.stack(ids, dim=1).numpy(), score.numpy()

    def beams(self, source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Beam search: the best of each row, then the best of those of a source."""
        beams, end_id = self.search.num_beams, self.search.end_id
        values, keys, bias, h = self.encode(torch.from_numpy(source))
        h = h.repeat_interleave(beams, dim=0)
        token = torch.full((len(h),), self.search.start_id)
        frozen = torch.tensor([0.0] + [IMPOSSIBLE] * (beams - 1))
        score, finished = frozen.repeat(len(source))[:, None], torch.zeros((len(h), 1), dtype=torch.bool)
        first_row = torch.arange(len(source))[:, None] * beams
        ids = torch.zeros((len(h), 0), dtype=torch.int64)
        for _ in range(self.search.max_length):
            log_probs, h = self.step(token, h, values, keys, bias)
            offered, offered_ids = log_probs.topk(beams, dim=1)
            offered = torch.where(finished, frozen, offered) + score
            offered_ids = offered_ids.masked_fill(finished, end_id).view(-1, beams * beams)
            score, places = offered.view(-1, beams * beams).topk(beams, dim=1)
            parent = (places // beams + first_row).view(-1)
            token = offered_ids.gather(1, places).view(-1)
            score, h, finished = score.view(-1, 1), h[parent], (token == end_id)[:, None]
            ids = torch.cat([ids[parent], token[:, None]], dim=1)
            if finished.all():
                break
        ended = torch.cumsum(ids == end_id, dim=1) - (ids == end_id).int() > 0
        scores = score[:, 0] / (~ended).sum(dim=1) ** self.search.alpha
        best = scores.view(-1, beams).argmax(dim=1) + first_row[:, 0]
        return ids.masked_fill(ended, 0)[best].numpy(), scores[best].numpy()


def torch_loop(weights: Weights, search: Search, threads: int) -> Decode:
    """The module's search, run as it is."""
    torch.set_num_threads(threads)
    return _inference(TorchDecoder(weights, search).eval())


def compiled_torch_loop(weights: Weights, search: Search, threads: int) -> Decode:
    """The same with its step through `torch.compile`.

    Raises:
        RuntimeError: There is no C++ compiler here, which `torch.compile` needs.
    """
    if not any(map(shutil.which, COMPILERS)):
        raise RuntimeError(f"torch.compile needs a C++ compiler, and there is none of {', '.join(COMPILERS)}.")
    torch.set_num_threads(threads)
    module = TorchDecoder(weights, search).eval()
    module.step = torch.compile(module.step, dynamic=False)
    return _inference(module)


def _inference(module: TorchDecoder) -> Decode:
    decode: Callable = module.beams if module.search.num_beams > 1 else module.greedy

    def run(source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode():
            return decode(source)

    return run
