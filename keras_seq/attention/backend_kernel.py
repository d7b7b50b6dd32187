"""The backend's own kernel for scaled dot-product attention: flash attention where the device has it."""

from keras import ops
from keras.src import backend

from keras_seq.recurrent.cell import Tensor


def has_backend_kernel(query: Tensor, values: Tensor, bias: Tensor | None) -> bool:
    """Whether the backend has one for these arguments, which are those of `backend_dot_product`.

    That of Keras for TensorFlow is no faster than plain operations. The kernels add the bias in the compute dtype, and
    float16 cannot hold it; JAX's wants keys and values of one size.
    """
    if bias is not None and backend.standardize_dtype(query.dtype) == "float16":
        return False
    name = backend.backend()
    return name == "torch" or (name == "jax" and query.shape[3] == values.shape[3])


def backend_dot_product(
    query: Tensor,
    keys: Tensor,
    values: Tensor,
    bias: Tensor | None = None,
    causal: bool = False,
    flash_attention: bool | None = None,
) -> Tensor:
    """The context of `scaled_dot_product` by the backend's own kernel, which may be flash attention.

    Args:
        query: as there.
        keys: as there.
        values: as there.
        bias: as there.
        causal: whether query i sees the steps up to i alone. PyTorch's flash attention takes this and no bias.
        flash_attention: `True` to insist, `False` to do without, `None` to leave it to the backend.
    """
    context = ops.dot_product_attention(
        *(ops.transpose(tensor, (0, 2, 1, 3)) for tensor in (query, keys, values)),
        bias=None if bias is None else ops.cast(bias, query.dtype),
        is_causal=causal,
        flash_attention=flash_attention,
    )
    return ops.transpose(context, (0, 2, 1, 3))


def flash_attention_obstacle(flash_attention: bool | None, dtype: str, dropout: float, masked: bool) -> str | None:
    """Why training does not take flash attention here, or `None` where it does."""
    name = backend.backend()
    if flash_attention is False:
        return "flash_attention=False"
    if name not in ("jax", "torch"):
        return f"the {name} backend has no flash attention"
    if dropout:
        return "dropout of the attention scores needs the scores"
    if dtype not in ("float16", "bfloat16"):
        return f"flash attention computes in float16 or bfloat16, and the layer in {dtype}"
    if masked and name == "torch":
        return "PyTorch's flash attention takes no padding mask"
    if not _on_gpu(name):
        return "no GPU"
    return None


def _on_gpu(name: str) -> bool:
    if name == "jax":
        import jax

        return jax.default_backend() == "gpu"
    import torch

    return torch.cuda.is_available()
