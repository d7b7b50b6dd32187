"""Beside PyTorch's layers, with weights that go both ways."""

import numpy as np
import pytest
import torch
from torch import nn

import keras_seq
from tests.keras_seq.attention.cases import normal, with_random_weights
from tests.keras_seq.recurrent.cases import numpy
from tests.keras_seq.transformer import cases
from tests.keras_seq.transformer.cases import FEATURES, FEED_FORWARD_UNITS, HEADS, MASK, MEMORY_MASK, NUM_LAYERS

TOLERANCE = {"rtol": 1e-4, "atol": 2e-5}
# PyTorch gives NaN for a query that sees nothing: the rows and queries that do.
SEES = np.logical_or.accumulate(MASK, axis=1)


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.no_grad():
        yield


def tensors(arrays):
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}


def randomized(module, seed=3):
    """PyTorch starts biases and norms at zero and one, where it could not be seen whether they are used."""
    random = np.random.default_rng(seed)
    state = {name: random.normal(size=tensor.shape, scale=0.5) for name, tensor in module.state_dict().items()}
    module.load_state_dict(tensors({name: array.astype("float32") for name, array in state.items()}))
    return module.eval()


def exchanged(module, layer):
    """Gives the layer the module's weights, and checks that the same come back."""
    keras_seq.load_torch_weights(layer, module.state_dict())
    back, state = keras_seq.torch_weights(layer), module.state_dict()
    assert set(back) == set(state)
    for name, array in back.items():
        np.testing.assert_array_equal(array, state[name].numpy())
    return layer


def returned(layer, module):
    """Gives the module the layer's weights, which are random."""
    module.load_state_dict(tensors(keras_seq.torch_weights(layer)))
    return module.eval()


def causal_mask(size):
    return torch.ones(size, size, dtype=torch.bool).triu(1)


@pytest.mark.parametrize("masks", ["none", "padding", "causal", "attention_mask"])
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("sizes", [{}, {"kdim": 19, "vdim": 17}], ids=["one_size", "kdim-vdim"])
def test_multi_head_attention_is_that_of_pytorch(sizes, use_bias, masks):
    module = randomized(nn.MultiheadAttention(FEATURES, HEADS, bias=use_bias, batch_first=True, **sizes))
    layer = keras_seq.MultiHeadAttention(HEADS, FEATURES // HEADS, use_bias=use_bias)
    value, key = cases.memory(1, sizes.get("vdim", FEATURES)), cases.memory(2, sizes.get("kdim", FEATURES))
    query = cases.inputs()
    layer.build(query.shape, value.shape, key.shape)
    exchanged(module, layer)
    mask = np.random.default_rng(5).uniform(size=(cases.BATCH * HEADS, cases.TIME, cases.STEPS)) < 0.6
    mask[:, :, 4] = True
    of_heads = mask.reshape(cases.BATCH, HEADS, cases.TIME, cases.STEPS)
    padding = MEMORY_MASK | (np.arange(cases.STEPS) == 2)
    ours, theirs = {
        "none": ({}, {}),
        "padding": ({"value_mask": padding}, {"key_padding_mask": torch.from_numpy(~padding)}),
        "causal": (
            {"use_causal_mask": True},
            {"attn_mask": torch.ones(cases.TIME, cases.STEPS, dtype=torch.bool).triu(1)},
        ),
        "attention_mask": ({"attention_mask": of_heads}, {"attn_mask": torch.from_numpy(~mask)}),
    }[masks]
    outputs, scores = layer(query, value, key, return_attention_scores=True, **ours)
    expected = module(*map(torch.from_numpy, (query, key, value)), average_attn_weights=False, **theirs)
    np.testing.assert_allclose(numpy(outputs), expected[0].numpy(), **TOLERANCE)
    np.testing.assert_allclose(numpy(scores), expected[1].numpy(), **TOLERANCE)


def torch_layer(kind, **kwargs):
    return kind(FEATURES, HEADS, FEED_FORWARD_UNITS, batch_first=True, **kwargs)


SETTINGS = [
    {},
    {"norm_first": True},
    {"activation": "gelu"},
    {"activation": "gelu", "norm_first": True, "bias": False, "layer_norm_eps": 1e-2},
]


def ours_for(settings):
    """PyTorch's arguments as ours."""
    names = {"bias": "use_bias", "layer_norm_eps": "epsilon"}
    return {names.get(name, name): value for name, value in settings.items()}


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_an_encoder_block_is_that_of_pytorch(settings, masked):
    module = randomized(torch_layer(nn.TransformerEncoderLayer, **settings))
    block = exchanged(module, cases.encoder_block(**ours_for(settings)))
    x, rows = cases.inputs(), MASK.any(axis=1)
    received = numpy(block(x, mask=MASK if masked else None))
    padding = torch.from_numpy(~MASK[rows]) if masked else None
    expected = module(torch.from_numpy(x[rows]), src_key_padding_mask=padding).numpy()
    valid = MASK[rows] if masked else np.ones_like(MASK[rows])  # PyTorch's fast path puts zeros at the padding
    np.testing.assert_allclose(received[rows][valid], expected[valid], **TOLERANCE)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_decoder_block_is_that_of_pytorch(settings, masked):
    module = randomized(torch_layer(nn.TransformerDecoderLayer, **settings))
    block = exchanged(module, cases.decoder_block(memory_features=FEATURES, **ours_for(settings)))
    x, memory = cases.inputs(), cases.memory(features=FEATURES)
    rows = MASK.any(axis=1) & MEMORY_MASK.any(axis=1) if masked else np.ones(cases.BATCH, bool)
    masks = {"mask": MASK, "memory_mask": MEMORY_MASK} if masked else {}
    received = numpy(block(x, memory, **masks))[rows]
    theirs = {
        "tgt_key_padding_mask": torch.from_numpy(~MASK[rows]),
        "memory_key_padding_mask": torch.from_numpy(~MEMORY_MASK[rows]),
    }
    expected = module(
        *(torch.from_numpy(array[rows]) for array in (x, memory)),
        tgt_mask=causal_mask(cases.TIME),
        **(theirs if masked else {}),
    ).numpy()
    sees = SEES[rows] if masked else np.ones_like(SEES)
    np.testing.assert_allclose(received[sees], expected[sees], **TOLERANCE)


@pytest.mark.parametrize("norm_first", [False, True])
def test_a_decoder_block_without_memory_is_pytorchs_encoder_layer_under_a_causal_mask(norm_first):
    module = randomized(torch_layer(nn.TransformerEncoderLayer, norm_first=norm_first))
    block = exchanged(module, cases.decoder_block(memory_features=None, norm_first=norm_first))
    x = cases.inputs()
    expected = module(torch.from_numpy(x), src_mask=causal_mask(cases.TIME), is_causal=True).numpy()
    np.testing.assert_allclose(numpy(block(x)), expected, **TOLERANCE)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_stacks_are_those_of_pytorch(kind, norm_first):
    layer_kind, stack_kind = {
        "encoder": (nn.TransformerEncoderLayer, nn.TransformerEncoder),
        "decoder": (nn.TransformerDecoderLayer, nn.TransformerDecoder),
    }[kind]
    norm = nn.LayerNorm(FEATURES) if norm_first else None
    extra = {"enable_nested_tensor": False} if kind == "encoder" else {}
    module = stack_kind(torch_layer(layer_kind, norm_first=norm_first), NUM_LAYERS, norm, **extra)
    x, memory = cases.inputs(), cases.memory(features=FEATURES)
    if kind == "encoder":
        stack = exchanged(randomized(module), cases.encoder(norm_first=norm_first, position=None))
        received, expected = stack(x), module(torch.from_numpy(x))
    else:
        stack = exchanged(
            randomized(module), cases.decoder(memory_features=FEATURES, norm_first=norm_first, position=None)
        )
        received = stack(x, memory)
        expected = module(*map(torch.from_numpy, (x, memory)), tgt_mask=causal_mask(cases.TIME))
    np.testing.assert_allclose(numpy(received), expected.numpy(), **TOLERANCE)


@pytest.mark.parametrize("norm_first", [False, True])
def test_weights_go_to_pytorch(norm_first):
    block = cases.decoder_block(memory_features=FEATURES, norm_first=norm_first)
    module = returned(block, torch_layer(nn.TransformerDecoderLayer, norm_first=norm_first))
    x, memory = cases.inputs(), cases.memory(features=FEATURES)
    expected = module(*map(torch.from_numpy, (x, memory)), tgt_mask=causal_mask(cases.TIME))
    np.testing.assert_allclose(numpy(block(x, memory)), expected.numpy(), **TOLERANCE)


def test_rms_norms_go_where_pytorch_has_them():
    module = torch_layer(nn.TransformerEncoderLayer, norm_first=True)
    module.norm1, module.norm2 = (nn.RMSNorm(FEATURES, eps=1e-5) for _ in range(2))
    block = exchanged(randomized(module), cases.encoder_block(norm="rms", norm_first=True))
    x = normal(*cases.inputs().shape, seed=6)
    module.train()  # PyTorch's fast path looks for the biases of the norms
    module.dropout.p = module.dropout1.p = module.dropout2.p = module.self_attn.dropout = 0.0
    np.testing.assert_allclose(numpy(block(x)), module(torch.from_numpy(x)).numpy(), **TOLERANCE)


def test_learned_positions_stay_as_they_are():
    stack = cases.encoder(position="learned", max_length=cases.TIME)
    positions = numpy(stack.position_encoding.embeddings.value)
    keras_seq.load_torch_weights(stack, {name: array * 0 for name, array in keras_seq.torch_weights(stack).items()})
    np.testing.assert_array_equal(numpy(stack.position_encoding.embeddings.value), positions)
    assert not any(array.any() for array in keras_seq.torch_weights(stack).values())


def attention(**kwargs):
    layer = keras_seq.MultiHeadAttention(HEADS, FEATURES // HEADS, name="mine", **kwargs)
    layer.build((None, None, FEATURES))
    return with_random_weights(layer)


def test_missing_and_extra_names_are_told_and_nothing_changes():
    layer = attention()
    state, before = keras_seq.torch_weights(layer), layer.get_weights()
    state["bias_k"] = state.pop("in_proj_bias") * 0
    message = (
        r"`state` does not fit layer 'mine': it lacks \['in_proj_bias'\], and has besides \['bias_k'\]\. "
        r"Expected: \['in_proj_bias', 'in_proj_weight', 'out_proj.bias', 'out_proj.weight'\]"
    )
    with pytest.raises(ValueError, match=message):
        keras_seq.load_torch_weights(layer, state)
    state = {name: array * 0 for name, array in keras_seq.torch_weights(layer).items()}
    state["out_proj.weight"] = state["out_proj.weight"][:, 1:]
    with pytest.raises(ValueError, match=r"out_proj.weight must have the shape \(24, 24\)\. Received: \(24, 23\)"):
        keras_seq.load_torch_weights(layer, state)
    for array, old in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(array, old)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: attention(num_key_value_heads=3), r"grouped heads \(num_heads=6, num_key_value_heads=3\)"),
        (lambda: attention(rotary=keras_seq.RotaryEmbedding()), "rotary positions"),
        (lambda: attention(value_dim=5), r"keys, values and outputs of \(24, 30, 24\) features"),
        (lambda: attention(output_size=5), r"keys, values and outputs of \(24, 24, 5\) features"),
        (lambda: cases.encoder_block(activation="swiglu"), 'activation="swiglu"'),
        (lambda: cases.decoder(position="rotary"), "rotary positions"),
    ],
    ids=["grouped", "rotary", "value_dim", "output_size", "swiglu", "stack"],
)
def test_what_pytorch_does_not_have_is_refused(make, what):
    layer = make()
    with pytest.raises(ValueError, match=f"PyTorch's layers have nothing like {what}"):
        keras_seq.torch_weights(layer)
    with pytest.raises(ValueError, match=f"PyTorch's layers have nothing like {what}"):
        keras_seq.load_torch_weights(layer, {})


def test_a_layer_without_weights_is_refused():
    with pytest.raises(ValueError, match="Layer 'mine' has no weights yet"):
        keras_seq.torch_weights(keras_seq.MultiHeadAttention(3, 2, name="mine"))


def test_other_layers_and_other_states_are_refused():
    with pytest.raises(
        TypeError, match=r"`layer` must be one of keras_seq's MultiHeadAttention, .*Received: <FeedForward"
    ):
        keras_seq.torch_weights(keras_seq.FeedForward(3))
    with pytest.raises(TypeError, match=r"`state` must map PyTorch's names to arrays.*Received: state of type Linear"):
        keras_seq.load_torch_weights(attention(), nn.Linear(2, 3))
