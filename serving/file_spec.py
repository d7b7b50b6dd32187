"""What a bundle knows of each of its files: size and SHA-256."""

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from keras_seq.serving.errors import BundleError
from keras_seq.serving.fields import Fields


def check_relative(name: str, where: str) -> str:
    """Return `name` if it is a plain relative path that stays inside the bundle, and raise otherwise.

    Raises:
        BundleError: If the path is absolute, climbs with `..`, or is spelt for another system (backslash, drive).
    """
    plain = (
        name == str(PurePosixPath(name)) and name != "." and "\\" not in name and ":" not in name and "\0" not in name
    )
    if not plain or name.startswith("/") or ".." in name.split("/"):
        raise BundleError(
            f"bundle.json: `{where}` must be a relative path inside the bundle, with '/' between folders and without "
            f"'..'. Received: {name!r}. The bundle is not one that keras_seq wrote: do not use it."
        )
    return name


@dataclass(frozen=True)
class FileSpec:
    """Size and SHA-256 of one file.

    Attributes:
        sha256: Hexadecimal digest, 64 lower-case digits.
        bytes: Size in bytes.
    """

    sha256: str
    bytes: int

    @classmethod
    def of(cls, path: str | Path) -> "FileSpec":
        """Measure the file at `path`."""
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(digest, Path(path).stat().st_size)

    @classmethod
    def from_dict(cls, value: Any, where: str = "file") -> "FileSpec":
        """Read a spec from parsed JSON; `where` is its path in the manifest, for messages.

        Raises:
            BundleError: If a field is missing or not what the schema says.
        """
        fields = Fields(value, where)
        sha256 = fields.text("sha256")
        if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
            fields.refuse("sha256", "64 lower-case hexadecimal digits", sha256)
        return cls(sha256, fields.integer("bytes"))

    def to_dict(self) -> dict[str, Any]:
        """The spec as `bundle.json` holds it."""
        return {"sha256": self.sha256, "bytes": self.bytes}

    def check(self, path: Path, name: str):
        """Compare the file at `path` with the spec; `name` is what messages call it.

        Raises:
            BundleError: If the file is missing, of another size, or altered.
        """
        again = "Export the model again, or copy the bundle anew from where it is whole."
        if not path.is_file():
            raise BundleError(f"The bundle lacks its file {name!r} (looked for {path}). {again}")
        size = path.stat().st_size
        if size != self.bytes:
            how = "truncated" if size < self.bytes else "longer than it was"
            raise BundleError(
                f"The bundle's file {name!r} is {how}: expected {self.bytes} bytes, received {size}. {again}"
            )
        digest = FileSpec.of(path).sha256
        if digest != self.sha256:
            raise BundleError(
                f"The bundle's file {name!r} was altered: expected SHA-256 {self.sha256}, received {digest}. {again}"
            )
