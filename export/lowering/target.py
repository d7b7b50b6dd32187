"""What the graphs are written for: which operators may be used beside the standard ones."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CONTRIB", "Target", "version_numbers"]

CONTRIB = "com.microsoft"
"""The domain of the operators that ONNX Runtime has beside the standard ones."""


def version_numbers(version: str) -> tuple[int, ...]:
    """Major and minor number of a version such as `"1.17"`.

    Raises:
        ValueError: It is no version.
    """
    return tuple(int(part) for part in version.split("."))[:2]


@dataclass(frozen=True)
class Target:
    """What the graphs are written for.

    Attributes:
        portable: Whether to keep to standard ONNX operators, which runtimes other than ONNX Runtime know too.
        min_onnxruntime: The oldest ONNX Runtime that must run the graphs.
    """

    portable: bool = False
    min_onnxruntime: str = "1.17"

    def has(self, version: str) -> bool:
        """Whether every runtime asked for has what ONNX Runtime has had since `version`."""
        return not self.portable and version_numbers(self.min_onnxruntime) >= version_numbers(version)
