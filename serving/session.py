"""One ONNX Runtime session over one graph of a bundle, with settings for small recurrent models."""

import contextlib
import math
import threading
from collections.abc import Mapping, Sequence

import numpy as np
import onnxruntime as ort

from keras_seq.serving.bundle import Bundle
from keras_seq.serving.cpu_quota import cpu_quota
from keras_seq.serving.errors import BundleError, ServingError, listed
from keras_seq.serving.memory_relief import MemoryRelief
from keras_seq.serving.thread_pool import SharedPool, adopt_pool, check_num_threads, shared_pool

# Best first; others (TensorRT, OpenVINO, CoreML) compile or convert the graph and are used when asked for by name.
PREFERRED_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")

_ORT_TYPES = {"float": "float32", "double": "float64"}  # where ONNX Runtime's name is not NumPy's


def session_options(num_threads: int | None) -> ort.SessionOptions:
    """The options every session of the runtime has; docs/runtime.md gives the measurements behind them.

    Args:
        num_threads: Of the session's own pool; None where it uses the one that all sessions share.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 3  # errors alone; they are raised as exceptions anyway
    if num_threads is None:
        options.use_per_session_threads = False
    else:
        options.intra_op_num_threads = num_threads
        options.inter_op_num_threads = 1
        # Between two steps of a recurrence waiting threads spin, as waking them would take longer than the step. They
        # go to sleep soon after: a worker that spins on takes a processor from the caller and from other sessions. ONNX
        # Runtime before 1.26 ignores the key, as it does all it does not know, and spins for tens of milliseconds.
        options.add_session_config_entry("session.intra_op.spin_duration_us", "100")
    # Plans one block of memory for each set of input shapes and keeps them all: no use where shapes vary.
    options.enable_mem_pattern = False
    return options


def choose_providers(providers: Sequence[str] | None) -> list[str]:
    """The execution providers to use: those asked for, or the preferred ones of this ONNX Runtime.

    Raises:
        ServingError: If one asked for is not in this build; the message lists those that are.
    """
    available = ort.get_available_providers()
    if providers is None:
        return [name for name in PREFERRED_PROVIDERS if name in available]
    unknown = [name for name in providers if name not in available]
    if unknown or not providers:
        raise ServingError(
            f"`providers` must be execution providers of this ONNX Runtime ({ort.__version__}): {listed(available)}. "
            f"Received: {list(providers)}."
        )
    return list(providers)


def disabled_optimizers(providers: Sequence[str]) -> list[str]:
    """The fusions that ONNX Runtime is to leave, as they cost time.

    On a CPU `SkipLayerNormalization` (1.31, 1024 x 256) takes 628 us, and the `Add` and `LayerNormalization` that it
    stands for 180 us together.

    Args:
        providers: The execution providers of the session.
    """
    return ["SkipLayerNormFusion"] if list(providers) == ["CPUExecutionProvider"] else []


def _dtype(tensor: ort.NodeArg) -> str:
    kind = tensor.type.removeprefix("tensor(").removesuffix(")")
    return _ORT_TYPES.get(kind, kind)


class Session:
    """One graph of a bundle, loaded and ready. Any number of threads may call `run` at the same time.

    Args:
        bundle: The bundle.
        graph: Name of the graph in its manifest.
        variant: Which of the graph's variants to load, `"int8"` for one; by default the graph as it was exported.
        num_threads: Threads for one call, the caller's included; by default as many as the process may use. After
            `share_threads`, those of the one pool.
        providers: Execution providers in order of preference; by default CUDA where there is one, then the CPU.

    Raises:
        BundleError: If the bundle has no such graph or variant, ONNX Runtime cannot load it, or it is not what the
            manifest says.
        ServingError: If `num_threads` or `providers` cannot be had.
    """

    def __init__(
        self,
        bundle: Bundle,
        graph: str,
        *,
        variant: str | None = None,
        num_threads: int | None = None,
        providers: Sequence[str] | None = None,
    ):
        check_num_threads(num_threads)
        self.bundle = bundle
        self.graph = graph
        self.variant = variant
        self.spec = bundle.graph(graph).of_variant(variant)
        wanted = choose_providers(providers)
        pool = shared_pool()
        try:
            session = self._load(pool, num_threads, wanted)
        except ServingError as error:
            pool = adopt_pool(error.__cause__)  # another library's, which this session must use as well
            if pool is None:
                raise
            session = self._load(pool, num_threads, wanted)
        lacking = [name for name in wanted if name not in session.get_providers()]
        if providers is not None and lacking:
            raise ServingError(f"ONNX Runtime could not start {listed(lacking)}. Running: {session.get_providers()}.")
        self._check_signature(session)
        self.shares_threads = pool is not None
        self.num_threads = pool.num_threads if pool else num_threads or cpu_quota()
        self._session = session
        self._output_names = list(self.spec.output_names)
        self._relief = MemoryRelief()
        self._usual, self._give_back = ort.RunOptions(), ort.RunOptions()
        self._give_back.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        if self.spec.text is not None:  # no strings for who asks for numbers: a third of a tagger's time
            self._usual.only_execute_path_to_fetches = self._give_back.only_execute_path_to_fetches = True
        self._no_text = {name: np.empty(0, object) for name in (self.spec.text.inputs if self.spec.text else ())}
        # ONNX Runtime notes in the first call which nodes that leaves, and does so without a lock of its own.
        self._first_call = threading.Lock() if self.spec.text is not None else None

    def _load(self, pool: SharedPool | None, num_threads: int | None, providers: Sequence[str]) -> ort.InferenceSession:
        """The graph in ONNX Runtime, with threads from `pool`, or its own where that is None."""
        if pool and num_threads not in (None, pool.num_threads):
            raise ServingError(
                "`num_threads` must be left out where all sessions of a process share one pool of threads (here of "
                f"{pool.num_threads or 'unknown'}): ONNX Runtime then allows no other. Received: {num_threads}. To set "
                "it for each session, do not call share_threads()."
            )
        path = self.bundle.file(self.spec.file)
        if not path.is_file():
            graph = self.bundle.graph(self.graph)
            held = {None: graph.file} | {name: spec.file for name, spec in graph.variants.items()}
            ways = [f"variant={name!r}" for name, file in held.items() if self.bundle.file(file).is_file()]
            raise BundleError(
                f"{self.bundle.path} lacks {self.spec.file!r}, the file of graph {self.graph!r} that was asked for. "
                f"Copy it there too, or ask for what is there: {', '.join(ways) or 'nothing'}."
            )
        try:
            return ort.InferenceSession(
                str(path),
                session_options(None if pool else num_threads or cpu_quota()),
                providers=list(providers),
                disabled_optimizers=disabled_optimizers(providers),
                # Where there is nothing to fall back to, ONNX Runtime would print the error and try the same again.
                enable_fallback=int(list(providers) != ["CPUExecutionProvider"]),
            )
        except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
            needs = (self.bundle.manifest.onnx or {}).get("min_onnxruntime", "unknown")
            raise BundleError(
                f"ONNX Runtime {ort.__version__} cannot load graph {self.graph!r} from {path}: {error} "
                f"The bundle asks for ONNX Runtime {needs} or newer."
            ) from error

    @property
    def threads(self) -> str:
        """What the session's threads are, in words: `"2 threads"`, `"2 shared threads"`."""
        return f"{self.num_threads or 'unknown'} {'shared ' * self.shares_threads}threads"

    def _check_signature(self, session: ort.InferenceSession):
        """Compare names and dtypes of the loaded graph with the manifest's, and that each option may be left out."""
        spec = self.spec
        said = {tensor.name: tensor.dtype for tensor in (*spec.inputs, *spec.outputs)}
        said |= {name: state.dtype for state in spec.states for name in (state.input, state.output)}
        inputs, outputs = session.get_inputs(), session.get_outputs()
        if spec.text is not None:
            said |= dict.fromkeys((*spec.text.inputs, *spec.text.outputs), "string")
            # The ids that a text stands for may be left out.
            ids = spec.text.inputs.values()
            inputs = inputs + [tensor for tensor in session.get_overridable_initializers() if tensor.name in ids]
        for side, names, tensors in (
            ("inputs", (*spec.input_names, *(spec.text.inputs if spec.text else ())), inputs),
            ("outputs", (*spec.output_names, *(spec.text.outputs if spec.text else ())), outputs),
        ):
            found = {tensor.name: _dtype(tensor) for tensor in tensors}
            expected = {name: said[name] for name in names}
            if found != expected:
                raise BundleError(
                    f"Graph {self.graph!r} ({spec.file}) does not have the {side} that bundle.json gives it. "
                    f"Expected: {expected}. Received: {found}. Export the model again."
                )
        scalars = {t.name: _dtype(t) for t in session.get_overridable_initializers() if not t.shape}
        expected = {option.name: option.dtype for option in spec.options}
        if not expected.items() <= scalars.items():
            raise BundleError(
                f"Graph {self.graph!r} ({spec.file}) does not have the options that bundle.json gives it, as "
                f"initializers of no dimensions that are inputs too. Expected: {expected}. Received: {scalars}. "
                "Export the model again."
            )

    @property
    def providers(self) -> list[str]:
        """The execution providers in use."""
        return self._live().get_providers()

    def _live(self) -> ort.InferenceSession:
        session = self._session
        if session is None:
            raise ServingError(f"The session of graph {self.graph!r} of {self.bundle.path} is closed. Make a new one.")
        return session

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the graph.

        Args:
            feeds: Name to array, for every input and state, and for options that are not to have the graph's own
                default; already checked.

        Returns:
            Name to array, for every output and next state.

        Raises:
            ServingError: If the session is closed, or ONNX Runtime fails.
        """
        shape = feeds[self.spec.inputs[0].name].shape
        options = self._give_back if self._relief.due(math.prod(shape[:2])) else self._usual
        try:
            with self._first_call or contextlib.nullcontext():
                values = self._live().run(self._output_names, {**self._no_text, **feeds}, options)
                self._first_call = None
        except ServingError:
            raise
        except Exception as error:  # see above
            shapes = {name: value.shape for name, value in feeds.items()}
            raise ServingError(
                f"ONNX Runtime failed on graph {self.graph!r} with inputs of shape {shapes}: {error}"
            ) from error
        return dict(zip(self._output_names, values, strict=True))

    def close(self):
        """Free the graph and its threads, once calls in progress have come back."""
        self._session = None
