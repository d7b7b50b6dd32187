"""The model in PyTorch: its own encoder layers, and a decoder with a cache by hand, in few operations a step."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from transformer_opponents.weights import END_ID, EPSILON, PAD_ID, START_ID, Layer, Linear, Norm, Weights

IMPOSSIBLE = -1e9


class TorchEncoder(nn.Module):
    """Embedding, positions, `nn.TransformerEncoderLayer`s, norm.

    Args:
        weights: Of the model.
    """

    def __init__(self, weights: Weights):
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(torch.tensor(weights.source_table))
        self.register_buffer("positions", torch.tensor(weights.positions))
        self.layers = nn.ModuleList(_encoder_layer(layer, weights) for layer in weights.encoder)
        self.norm = nn.LayerNorm(weights.sizes.features, EPSILON)
        self.norm.load_state_dict(_norm_state(weights.encoder_norm))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Ids to outputs, both with the batch first."""
        padding = ids == PAD_ID
        x = self.embedding(ids) + self.positions[: ids.shape[1]]
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=padding)
        return self.norm(x)


def _encoder_layer(layer: Layer, weights: Weights) -> nn.TransformerEncoderLayer:
    sizes = weights.sizes
    module = nn.TransformerEncoderLayer(
        sizes.features,
        sizes.num_heads,
        sizes.feed_forward_units,
        dropout=0.0,
        activation="gelu",
        layer_norm_eps=EPSILON,
        batch_first=True,
        norm_first=True,
    )
    query, key, value, output = layer.attention
    joined = Linear.joined(query, key, value)
    state = {"self_attn.in_proj_weight": torch.tensor(joined.kernel.T), "self_attn.in_proj_bias": joined.bias}
    parts = {
        "self_attn.out_proj.": output,
        "linear1.": layer.expand,
        "linear2.": layer.contract,
    }
    state |= {f"{name}{field}": value for name, part in parts.items() for field, value in _linear_state(part).items()}
    norms = {"norm1.": layer.attention_norm, "norm2.": layer.feed_forward_norm}
    state |= {f"{name}{field}": value for name, part in norms.items() for field, value in _norm_state(part).items()}
    module.load_state_dict({name: torch.as_tensor(value) for name, value in state.items()})
    return module


def _linear_state(linear: Linear) -> dict[str, torch.Tensor]:
    return {"weight": torch.tensor(linear.kernel.T), "bias": torch.tensor(linear.bias)}


def _norm_state(norm: Norm) -> dict[str, torch.Tensor]:
    return {"weight": torch.tensor(norm.gamma), "bias": torch.tensor(norm.beta)}


class TorchTransformer(nn.Module):
    """The encoder, and greedy and beam search with a decoder by hand.

    The beams of a source are the query sequence of its attention, and what may be seen of the one cache that they share
    is told by a mask, as in the hand-made ONNX graph: no cache changes its order.

    Args:
        weights: Of the model.
        num_beams: 1 for greedy search.
        max_length: The most tokens.
    """

    def __init__(self, weights: Weights, num_beams: int, max_length: int):
        super().__init__()
        self.num_beams, self.max_length, self.sizes = num_beams, max_length, weights.sizes
        self.encoder = TorchEncoder(weights)
        self.table, self.output = torch.tensor(weights.target_table), _tensors(weights.output)
        self.norm = _tensors(weights.decoder_norm)
        self.layers = [_decoder_layer(layer) for layer in weights.decoder]

    def forward(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Sources to the best hypothesis of each and its score."""
        beams, batch = self.num_beams, len(ids)
        encoded, bias = self.encoder(ids), torch.where(ids == PAD_ID, IMPOSSIBLE, 0.0)[:, None, None]
        memory = [self._heads(functional.linear(encoded, *layer["cross_kv"]), 2) for layer in self.layers]
        caches = [None] * len(self.layers)
        itself = torch.where(torch.eye(beams, dtype=torch.bool), 0.0, IMPOSSIBLE).repeat(batch, 1)
        ancestors = torch.zeros((batch * beams, 0))
        frozen = torch.tensor([0.0] + [IMPOSSIBLE] * (beams - 1))
        score, finished = frozen.repeat(batch)[:, None], torch.zeros((batch * beams, 1), dtype=torch.bool)
        token = torch.full((batch * beams,), START_ID)
        first_row = torch.arange(batch)[:, None] * beams
        found = torch.zeros((batch * beams, 0), dtype=torch.int64)
        for step in range(self.max_length):
            visible = torch.cat([ancestors, itself], dim=1)
            mask = visible.view(batch, 1, beams, -1) if beams > 1 else None
            log_probs = self._step(token, step, caches, mask, memory, bias)
            offered, offered_ids = log_probs.topk(beams, dim=1)
            offered = torch.where(finished, frozen, offered) + score
            offered_ids = offered_ids.masked_fill(finished, PAD_ID).view(batch, -1)
            score, places = offered.view(batch, -1).topk(beams, dim=1)
            parent = (places // beams + first_row).view(-1)
            token, score = offered_ids.gather(1, places).view(-1), score.view(-1, 1)
            if beams > 1:
                found, ancestors = found[parent], visible[parent]
            finished = (token <= END_ID)[:, None]
            found = torch.cat([found, token[:, None]], dim=1)
            if finished.all():
                break
        scores = score[:, 0] / (found != PAD_ID).sum(dim=1) if beams > 1 else score[:, 0]
        best = scores.view(batch, beams).argmax(dim=1) + first_row[:, 0]
        return found[best], scores[best]

    def _step(self, token, step: int, caches: list, mask, memory: list, bias) -> torch.Tensor:
        """Log-probabilities of what follows `token`, `(rows, vocabulary)`; `caches` gets one entry a row more."""
        features = self.sizes.features
        x = self.table[token] + self.encoder.positions[step]
        for index, layer in enumerate(self.layers):
            inner = functional.layer_norm(x, (features,), *layer["attention_norm"], EPSILON)
            query, key, value = self._heads(self._product(inner, layer["qkv"]).view(len(bias), -1, 3 * features), 3)
            if caches[index] is not None:
                key, value = (torch.cat(pair, dim=2) for pair in zip(caches[index], (key, value), strict=True))
            caches[index] = key, value
            x = x + self._product(self._attend(query, key, value, mask), layer["output"])
            inner = functional.layer_norm(x, (features,), *layer["cross_norm"], EPSILON)
            (query,) = self._heads(self._product(inner, layer["cross_query"]).view(len(bias), -1, features), 1)
            x = x + self._product(self._attend(query, *memory[index], bias), layer["cross_output"])
            inner = functional.layer_norm(x, (features,), *layer["feed_forward_norm"], EPSILON)
            x = x + self._product(functional.gelu(self._product(inner, layer["expand"])), layer["contract"])
        x = functional.layer_norm(x, (features,), *self.norm, EPSILON)
        return torch.log_softmax(self._product(x, self.output), dim=-1)

    def _heads(self, joined: torch.Tensor, parts: int) -> tuple[torch.Tensor, ...]:
        """`(batch, time, parts * features)` to so many `(batch, heads, time, size)`."""
        batch, time, _ = joined.shape
        return joined.view(batch, time, parts, self.sizes.num_heads, -1).permute(2, 0, 3, 1, 4).unbind(0)

    def _attend(self, query, key, value, mask) -> torch.Tensor:
        context = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return context.transpose(1, 2).reshape(-1, self.sizes.features)

    @staticmethod
    def _product(x: torch.Tensor, linear) -> torch.Tensor:
        weight, bias = linear
        return functional.linear(x, weight, bias)


def _decoder_layer(layer: Layer) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    query, key, value, output = layer.attention
    cross_query, cross_key, cross_value, cross_output = layer.cross_attention
    parts = {
        "attention_norm": layer.attention_norm,
        "qkv": Linear.joined(query, key, value),
        "output": output,
        "cross_norm": layer.cross_attention_norm,
        "cross_query": cross_query,
        "cross_kv": Linear.joined(cross_key, cross_value),
        "cross_output": cross_output,
        "feed_forward_norm": layer.feed_forward_norm,
        "expand": layer.expand,
        "contract": layer.contract,
    }
    return {name: _tensors(part) for name, part in parts.items()}


def _tensors(part: Linear | Norm) -> tuple[torch.Tensor, torch.Tensor]:
    state = _linear_state(part) if isinstance(part, Linear) else _norm_state(part)
    return state["weight"], state["bias"]


def torch_encoder(weights: Weights, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """The encoder in `inference_mode`, where its layers take their fast path."""
    torch.set_num_threads(threads)
    run = _inference(TorchEncoder(weights))
    return lambda ids: run(ids).numpy()


def torch_generate(
    weights: Weights, num_beams: int, max_length: int, threads: int
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Search in `inference_mode`; arguments as of `TorchTransformer`."""
    torch.set_num_threads(threads)
    run = _inference(TorchTransformer(weights, num_beams, max_length))
    return lambda ids: tuple(value.numpy() for value in run(ids))


def _inference(module: nn.Module) -> Callable[[np.ndarray], torch.Tensor]:
    module.eval()

    def run(ids: np.ndarray) -> torch.Tensor:
        with torch.inference_mode():
            return module(torch.from_numpy(ids).long())

    return run
