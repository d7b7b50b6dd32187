import keras
import pytest

import keras_seq
from keras_seq.attention import backend_kernel


@pytest.fixture
def on_jax(monkeypatch):
    """As if the backend were JAX, on a GPU."""
    monkeypatch.setattr(backend_kernel.backend, "backend", lambda: "jax")
    monkeypatch.setattr(backend_kernel, "_on_gpu", lambda name: True)


def kernel(masked=False, dtype="mixed_bfloat16", **arguments):
    return keras_seq.MultiHeadAttention(3, 4, dtype=dtype, **arguments).training_kernel(masked=masked)


def test_flash_attention_is_taken_where_all_allow_it(on_jax):
    assert kernel() == keras_seq.KernelChoice("flash")
    assert kernel(masked=True).name == "flash"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"flash_attention": False}, "flash_attention=False"),
        ({"dtype": "float32"}, "flash attention computes in float16 or bfloat16, and the layer in float32"),
        ({"dropout": 0.1}, "dropout of the attention scores needs the scores"),
    ],
)
def test_the_reason_is_told_where_it_is_not(on_jax, arguments, reason):
    assert kernel(**arguments) == keras_seq.KernelChoice("plain", reason)


def test_it_is_told_what_each_backend_lacks(on_jax, monkeypatch):
    monkeypatch.setattr(backend_kernel.backend, "backend", lambda: "torch")
    assert kernel(masked=True).reason == "PyTorch's flash attention takes no padding mask"
    monkeypatch.setattr(backend_kernel.backend, "backend", lambda: "tensorflow")
    assert kernel().reason == "the tensorflow backend has no flash attention"
    monkeypatch.setattr(backend_kernel.backend, "backend", lambda: "jax")
    monkeypatch.setattr(backend_kernel, "_on_gpu", lambda name: False)
    assert kernel().reason == "no GPU"


def test_to_insist_on_it_and_to_drop_scores_is_refused():
    with pytest.raises(ValueError, match=r"`flash_attention=True` goes without `dropout`.*Received: dropout=0.1"):
        keras_seq.MultiHeadAttention(3, 4, dropout=0.1, flash_attention=True)


@pytest.mark.backend("tensorflow")
def test_a_layer_that_insists_on_it_computes_the_same_where_it_is_exported():
    inputs = keras.random.normal((2, 7, 5), seed=1)
    insists, does_without = (keras_seq.MultiHeadAttention(3, 4, flash_attention=flag) for flag in (True, False))
    outputs = insists(inputs)
    does_without.build(inputs.shape)
    does_without.set_weights(insists.get_weights())
    assert keras.ops.all(outputs == does_without(inputs))
