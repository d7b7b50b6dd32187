"""A stream's memory as bytes: written and read back, with everything checked on the way in."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from keras_seq.serving.errors import InputError, listed
from keras_seq.serving.fields import Fields, shorten
from keras_seq.serving.graph_spec import GraphSpec

_MAGIC = b"keras_seq stream snapshot 1\n"
_DIGEST_BYTES = 32


@dataclass(frozen=True)
class Snapshot:
    """What `Stream.snapshot` saves.

    As bytes: a line that says what it is, the SHA-256 of the rest, and a NumPy `.npz` archive of the arrays and a JSON
    header. No pickles, so reading one runs no code.

    Attributes:
        graph_sha256: Digest of the graph the stream runs: states mean nothing to any other.
        steps: Number of time steps fed so far.
        keeps_outputs: Whether `outputs` holds all per-step outputs since the start.
        states: State name to array.
        outputs: Output name to array.
    """

    graph_sha256: str
    steps: int
    keeps_outputs: bool
    states: Mapping[str, np.ndarray]
    outputs: Mapping[str, np.ndarray]

    def to_bytes(self) -> bytes:
        """The snapshot as bytes, for `from_bytes`."""
        header = {
            "graph_sha256": self.graph_sha256,
            "steps": self.steps,
            "keeps_outputs": self.keeps_outputs,
            "states": list(self.states),
            "outputs": list(self.outputs),
        }
        # Numbered, as a state's name may hold characters that a file name in an archive may not.
        arrays = {f"state_{i}": array for i, array in enumerate(self.states.values())}
        arrays |= {f"output_{i}": array for i, array in enumerate(self.outputs.values())}
        archive = io.BytesIO()
        np.savez(archive, header=np.array(json.dumps(header)), **arrays)
        payload = archive.getvalue()
        return _MAGIC + hashlib.sha256(payload).digest() + payload

    @classmethod
    def from_bytes(cls, data: Any) -> "Snapshot":
        """Read what `to_bytes` wrote.

        Its digest tells of damage, not of who wrote it: bytes of any origin are safe to read, and do not take more
        memory than they are long.

        Raises:
            InputError: If `data` is no snapshot, of a newer form, or damaged.
        """
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise InputError(f"A snapshot must be the bytes that `snapshot()` gave. Received: {type(data).__name__}.")
        data = bytes(data)
        if not data.startswith(_MAGIC):
            kind = _MAGIC.rsplit(b" ", 1)[0]
            what = "a snapshot of a newer keras_seq" if data.startswith(kind) else "not a stream's snapshot"
            raise InputError(f"These {len(data)} bytes are {what}: expected them to start with {_MAGIC!r}.")
        digest, payload = data[len(_MAGIC) :][:_DIGEST_BYTES], data[len(_MAGIC) + _DIGEST_BYTES :]
        if hashlib.sha256(payload).digest() != digest:
            raise InputError(
                f"The snapshot of {len(data)} bytes is damaged or cut short: its SHA-256 does not match. "
                "Use another copy."
            )
        try:
            return cls._read(payload)
        except Exception as error:  # NumPy, zipfile and json raise what they like for bytes that none of us wrote
            raise InputError(
                f"These {len(data)} bytes begin as a stream's snapshot and do not go on as one: {error}. Give what "
                "snapshot() gave, as it was."
            ) from error

    @classmethod
    def _read(cls, payload: bytes) -> "Snapshot":
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("its arrays are compressed, and may be of any size")
        if sum(entry.file_size for entry in entries) > len(payload):
            raise ValueError("its arrays lie upon one another")
        with np.load(io.BytesIO(payload), allow_pickle=False) as archive:
            header = Fields(json.loads(str(archive["header"])), file="its header")
            states = {name: archive[f"state_{i}"] for i, name in enumerate(header.get("states", list))}
            outputs = {name: archive[f"output_{i}"] for i, name in enumerate(header.get("outputs", list))}
        return cls(
            header.text("graph_sha256"), header.integer("steps"), header.get("keeps_outputs", bool), states, outputs
        )

    def check(self, spec: GraphSpec):
        """Check that a stream over this graph can stand so.

        Its rows are run beside those of other streams, so what may come from anybody must not lead to anything that a
        chunk could not have led to.

        Args:
            spec: The graph.

        Raises:
            InputError: If names, types or sizes of states or outputs are not the graph's, or do not go with the number
                of steps.
        """
        expected = [state.name for state in spec.states]
        if self.states and list(self.states) != expected:
            _refuse("its states are", listed(self.states), listed(expected))
        if bool(self.states) != bool(self.steps):
            _refuse(f"after {self.steps} steps it has", f"{len(self.states)} states", "states if steps")
        batch = next((array.shape[:1] for array in self.states.values()), ())
        for state in spec.states if self.states else ():
            array = self.states[state.name]
            shape = (*batch, *(self.steps if isinstance(dim, str) else dim for dim in state.shape[1:]))
            if (array.dtype, array.shape) != (np.dtype(state.dtype), shape) or 0 in batch:
                _refuse(f"state {state.name!r} is", f"{array.dtype} {array.shape}", f"{state.dtype} {shape}")
            if state.counts_steps and (array != self.steps).any():
                _refuse(f"state {state.name!r} counts", shorten(array.tolist()), f"{self.steps} in each row")
        known = [output.name for output in spec.outputs]
        if not set(self.outputs) <= set(known):
            _refuse("its outputs are", listed(self.outputs), f"some of {listed(known)}")


def _refuse(what: str, received: str, expected: str) -> NoReturn:
    raise InputError(
        f"The snapshot cannot be of this graph: {what} {received}. Expected: {expected}. Give what snapshot() gave, as "
        "it was."
    )
