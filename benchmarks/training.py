"""How long a training step of a recurrent layer takes, beside Keras' layer and PyTorch's: one table a size.

    python benchmarks/training.py [--shapes 32,100,128,256 ...] [--threads N] [--rounds N] [--quick] [--json FILE]

A step is the forward pass, the mean of the squared outputs, and its gradients to all weights. All candidates of a size
are timed in turn in one run; speed drifts on shared machines, so only the ratios mean something. On a busy machine the
surest of them is that of processor times with `--threads 1`. Before it is timed, each layer is compared with its twin
in Keras, and `fit` has to learn a small task with it.

Under KERAS_BACKEND=jax or KERAS_BACKEND=torch the same is timed on the device that backend has. docs/training.md has a
full run, docs/gpu.md says how to run it on a GPU.
"""

import argparse
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from timing import Timing, markdown_table, measure, speed_rows

import keras_seq

SHAPES = ((32, 100, 128, 256), (64, 200, 256, 512))
TWINS = {"LSTM": keras.layers.LSTM, "GRU": keras.layers.GRU}
FIT_MUST_REACH = 0.7  # of the loss of the first epoch

Step = Callable[[], float]
"""Runs a training step to its end and returns the loss."""


@dataclass(frozen=True)
class Case:
    """What is timed: the size of the layer and of its input, and whether that is masked.

    Attributes:
        batch: how many sequences.
        time: how many steps each; masked, from half of that on.
        features: of each step.
        units: of the layer.
        masked: whether there is a mask (padding on the right).
    """

    batch: int
    time: int
    features: int
    units: int
    masked: bool

    def __str__(self) -> str:
        mask = "masked" if self.masked else "no mask"
        return f"batch {self.batch}, time {self.time}, {self.features} → {self.units} units, {mask}"

    def inputs(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Inputs `(batch, time, features)` and the lengths of the sequences, or `None` where there is no mask."""
        rng = np.random.default_rng(0)
        inputs = rng.standard_normal((self.batch, self.time, self.features), dtype=np.float32)
        return inputs, rng.integers(self.time // 2, self.time + 1, self.batch) if self.masked else None


# --- A training step under each backend ---


def tensorflow_step(layer: keras.layers.Layer, inputs: np.ndarray, mask: np.ndarray | None) -> Step:
    """A step in a `tf.function`, as in `fit`."""
    import tensorflow as tf

    inputs, mask = tf.constant(inputs), None if mask is None else tf.constant(mask)

    @tf.function
    def step(inputs: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(layer(inputs, mask=mask, training=True) ** 2)
        return loss, tape.gradient(loss, layer.trainable_variables)

    return lambda: float(step(inputs)[0])


def jax_step(layer: keras.layers.Layer, inputs: np.ndarray, mask: np.ndarray | None) -> Step:
    """A step under `jax.jit`, as in `fit`."""
    import jax

    inputs, mask = jax.device_put(inputs), None if mask is None else jax.device_put(mask)
    trainable = [variable.value for variable in layer.trainable_variables]
    others = [variable.value for variable in layer.non_trainable_variables]

    def loss(weights: list[jax.Array], inputs: jax.Array) -> jax.Array:
        outputs, _ = layer.stateless_call(weights, others, inputs, mask=mask, training=True)
        return (outputs**2).mean()

    step = jax.jit(jax.value_and_grad(loss))
    return lambda: float(jax.block_until_ready(step(trainable, inputs))[0])


def torch_step(layer: keras.layers.Layer, inputs: np.ndarray, mask: np.ndarray | None) -> Step:
    """An eager step, as in `fit`."""
    inputs, mask = (None if x is None else keras.ops.convert_to_tensor(x) for x in (inputs, mask))
    parameters = [variable.value for variable in layer.trainable_variables]
    return _torch_loop(lambda: layer(inputs, mask=mask, training=True), parameters)


def pytorch_step(kind: str, case: Case) -> tuple[str, Step]:
    """A step of PyTorch's own layer; with lengths as a packed sequence. Returns its name and the step."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    values, lengths = case.inputs()
    layer = getattr(torch.nn, kind)(case.features, case.units, batch_first=True).to(device)
    inputs = torch.tensor(values, device=device)
    if lengths is not None:
        pack = torch.nn.utils.rnn.pack_padded_sequence
        inputs = pack(inputs, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
        return f"torch.nn.{kind}, packed", _torch_loop(lambda: layer(inputs)[0].data, list(layer.parameters()))
    return f"torch.nn.{kind}", _torch_loop(lambda: layer(inputs)[0], list(layer.parameters()))


def _torch_loop(forward: Callable[[], Any], parameters: list[Any]) -> Step:
    import torch

    def step() -> float:
        for parameter in parameters:
            parameter.grad = None
        loss = (forward() ** 2).mean()
        loss.backward()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return loss.item()

    return step


BACKEND_STEPS = {"tensorflow": tensorflow_step, "jax": jax_step, "torch": torch_step}


# --- What is timed ---


def candidates(case: Case) -> tuple[dict[str, dict[str, Step]], dict[str, str]]:
    """The steps to time: for each kind of layer, by name, Keras' first; and each layer's kernel, by name.

    Raises:
        ValueError: where a layer does not give the loss of its twin in Keras with the same weights.
    """
    inputs, lengths = case.inputs()
    mask = None if lengths is None else np.arange(case.time) < lengths[:, np.newaxis]
    backend_step = BACKEND_STEPS[keras.backend.backend()]
    groups, kernels = {}, {}
    for kind, twin in TWINS.items():
        reference = twin(case.units, return_sequences=True)
        reference.build(inputs.shape)
        ours = getattr(keras_seq, kind)(case.units, return_sequences=True)
        ours.build(inputs.shape)
        ours.set_weights(reference.get_weights())
        layers = {f"keras.layers.{kind}": reference, f"keras_seq.{kind}": ours}
        if kind == "LSTM":
            peephole = keras_seq.PeepholeLSTM(case.units, return_sequences=True)
            peephole.build(inputs.shape)
            layers["keras_seq.PeepholeLSTM"] = peephole
        groups[kind] = {name: backend_step(layer, inputs, mask) for name, layer in layers.items()}
        kernels |= {name: _kernel(layer, case.masked) for name, layer in layers.items()}

        expected, received = (groups[kind][f"{package}.{kind}"]() for package in ("keras.layers", "keras_seq"))
        if not abs(received - expected) <= 1e-4 * abs(expected):
            raise ValueError(f"keras_seq.{kind} gives a loss of {received}, keras.layers.{kind} {expected}, at {case}.")
        if _has_torch():
            name, step = pytorch_step(kind, case)
            groups[kind][name] = step
    return groups, kernels


def _kernel(layer: keras.layers.Layer, masked: bool) -> str:
    return layer.training_kernel(masked).name if hasattr(layer, "training_kernel") else ""


def _has_torch() -> bool:
    try:
        import torch  # noqa: F401
    except ImportError:
        return False
    return True


def run_case(case: Case, rounds: int) -> tuple[str, dict[str, Timing]]:
    """Times one case; returns its table and the timings by name."""
    groups, kernels = candidates(case)
    timings = measure({name: step for group in groups.values() for name, step in group.items()}, rounds=rounds)
    rows = []
    for kind, group in groups.items():
        base = f"keras.layers.{kind}"
        for name, *figures in speed_rows({name: timings[name] for name in group}, base):
            cpu_ratio = timings[base].cpu_seconds / timings[name].cpu_seconds
            rows.append([name, kernels.get(name, ""), *figures, f"{cpu_ratio:.2f}"])
    return markdown_table(["layer", "kernel", "ms", "× Keras", "× Keras, p10", "× Keras, CPU time"], rows), timings


def learning(epochs: int = 6) -> str:
    """Lets `fit` learn whether the first feature is positive on average; returns a table of the losses.

    Raises:
        RuntimeError: where the loss of the last epoch is not well below that of the first.
    """
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((1024, 12, 4), dtype=np.float32)
    labels = (inputs[:, :, :1].mean(axis=1) > 0).astype(np.float32)
    rows = []
    for kind in ("LSTM", "GRU", "PeepholeLSTM"):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([getattr(keras_seq, kind)(32), keras.layers.Dense(1, activation="sigmoid")])
        model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
        losses = model.fit(inputs, labels, batch_size=32, epochs=epochs, verbose=0).history["loss"]
        if not losses[-1] < FIT_MUST_REACH * losses[0]:
            raise RuntimeError(f"keras_seq.{kind} does not learn: the losses of its epochs are {losses}.")
        rows.append([f"keras_seq.{kind}", f"{losses[0]:.3f}", f"{losses[-1]:.3f}"])
    return markdown_table(["`fit`", "loss, first epoch", f"loss, epoch {epochs}"], rows)


def use_threads(threads: int) -> None:
    """Limits the thread pools of TensorFlow and PyTorch, before either has done any work; JAX has no such setting."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    if _has_torch():
        import torch

        torch.set_num_threads(threads)


def device() -> str:
    """The device that the backend trains on, in words."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.devices()[0].device_kind
    if keras.backend.backend() == "torch":
        import torch

        return torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {os.cpu_count()} cores"
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return gpus[0].name if gpus else f"CPU, {os.cpu_count()} cores"


def _shape(text: str) -> tuple[int, ...]:
    sizes = tuple(int(size) for size in text.split(","))
    if len(sizes) != 4 or min(sizes) < 1:
        raise argparse.ArgumentTypeError(
            f"a shape is four positive numbers, batch,time,features,units; received {text}"
        )
    return sizes


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", type=_shape, default=SHAPES, help="batch,time,features,units")
    parser.add_argument("--threads", type=int, help="of TensorFlow and PyTorch on the CPU (default: theirs)")
    parser.add_argument("--rounds", type=int, default=3, help="blocks of calls of each candidate (default: 3)")
    parser.add_argument("--quick", action="store_true", help="the first shape alone, without mask, one round")
    parser.add_argument("--json", type=Path, help="write the timings there too")
    arguments = parser.parse_args()
    cases = [Case(*shape, masked=masked) for shape in arguments.shapes for masked in (False, True)]
    rounds = arguments.rounds
    if arguments.quick:
        cases, rounds = cases[:1], 1

    if arguments.threads:
        use_threads(arguments.threads)
    backend, threads = keras.backend.backend(), f", {arguments.threads} thread(s)" if arguments.threads else ""
    print(f"Training steps with Keras {keras.__version__} on {backend}, {device()}{threads}\n")
    print(f"{learning()}\n", flush=True)
    results = []
    for case in cases:
        table, timings = run_case(case, rounds)
        print(f"{case}\n\n{table}\n", flush=True)
        results.append({**asdict(case), "timings": {name: asdict(timing) for name, timing in timings.items()}})
    if arguments.json:
        arguments.json.write_text(json.dumps({"backend": backend, "device": device(), "cases": results}, indent=2))


if __name__ == "__main__":
    main()
