"""A stream's memory as bytes: written and read back, with everything checked on the way in."""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_seq.serving.errors import ServingError

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

        Raises:
            ServingError: If `data` is no snapshot, of a newer form, or not a byte of it may be trusted.
        """
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise ServingError(f"A snapshot must be the bytes that `snapshot()` gave. Received: {type(data).__name__}.")
        data = bytes(data)
        if not data.startswith(_MAGIC):
            kind = _MAGIC.rsplit(b" ", 1)[0]
            what = "a snapshot of a newer keras_seq" if data.startswith(kind) else "not a stream's snapshot"
            raise ServingError(f"These {len(data)} bytes are {what}: expected them to start with {_MAGIC!r}.")
        digest, payload = data[len(_MAGIC) :][:_DIGEST_BYTES], data[len(_MAGIC) + _DIGEST_BYTES :]
        if hashlib.sha256(payload).digest() != digest:
            raise ServingError(
                f"The snapshot of {len(data)} bytes is damaged or cut short: its SHA-256 does not match. "
                "Use another copy."
            )
        with np.load(io.BytesIO(payload), allow_pickle=False) as archive:
            header = json.loads(str(archive["header"]))
            states = {name: archive[f"state_{i}"] for i, name in enumerate(header["states"])}
            outputs = {name: archive[f"output_{i}"] for i, name in enumerate(header["outputs"])}
        return cls(header["graph_sha256"], header["steps"], header["keeps_outputs"], states, outputs)
