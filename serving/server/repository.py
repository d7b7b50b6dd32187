"""The models of a server: loaded, replaced and taken away while others are asked."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from keras_seq.serving.batching import BatchStats
from keras_seq.serving.bundle import MANIFEST_FILE
from keras_seq.serving.errors import NotFound, ServingError, Unavailable, listed
from keras_seq.serving.model_name import NAME
from keras_seq.serving.server.served_model import ServedModel
from keras_seq.serving.server.settings import ServerSettings
from keras_seq.serving.server.signature import Signature
from keras_seq.serving.server.spare_memory import give_back

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelState:
    """How one version of a model stands.

    Attributes:
        name: The model.
        version: Its version.
        state: Whether it can be asked.
        reason: Why not; empty where it can.
    """

    name: str
    version: str
    state: Literal["READY", "LOADING", "UNAVAILABLE"]
    reason: str = ""


class ModelRepository:
    """Bundles by name and version.

    A model folder holds `NAME/bundle.json`, which is version 1, or `NAME/VERSION/bundle.json` for each version, a
    positive integer. All versions are loaded; the highest answers where none is named.

    Everything but the loading itself happens in one event loop.

    Args:
        bundles: Name to the folder of a bundle, besides those of the model folder.
        folder: The model folder.
        settings: Limits, threads and batching.
        observe_batch: Called after each call of a graph, with the name of what was asked and what the call was like.

    Raises:
        ServingError: If a name may not be used, or the folder is none.
    """

    def __init__(
        self,
        bundles: Mapping[str, str | Path] | None = None,
        folder: str | Path | None = None,
        *,
        settings: ServerSettings | None = None,
        observe_batch: Callable[[str, BatchStats], Any] | None = None,
    ):
        self.settings = ServerSettings() if settings is None else settings
        self.observe_batch = observe_batch
        self._bundles = {name: Path(path) for name, path in (bundles or {}).items()}
        self._folder = None if folder is None else Path(folder)
        for name in self._bundles:
            if not NAME.fullmatch(name):
                raise ServingError(
                    f"A model's name must be made of letters, digits, '-' and '_'. Received: {name!r}. Give it another "
                    f"name: NAME={self._bundles[name]}."
                )
        if self._folder is not None and not self._folder.is_dir():
            raise ServingError(f"The model folder {self._folder} is no folder. Make it, or name another.")
        self._executor = ThreadPoolExecutor(max(2, self.settings.calls_at_a_time), thread_name_prefix="keras-seq-run")
        self._models: dict[str, dict[str, ServedModel]] = {}
        self._states: dict[str, dict[str, ModelState]] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._closed = False

    @property
    def ready(self) -> bool:
        """Whether there is something to ask, and the server stays."""
        return bool(self._models) and not self._closed

    @property
    def models(self) -> list[ServedModel]:
        """All versions of all models that can be asked."""
        return [model for versions in self._models.values() for model in versions.values()]

    @property
    def folders(self) -> dict[Path, str]:
        """The folders that messages may name, and what stands for each in what clients are told."""
        folders = {path: name for name, path in self._bundles.items()}
        return folders if self._folder is None else {self._folder: "models", **folders}

    def names(self) -> list[str]:
        """The models that there are, loaded or not."""
        found = set(self._bundles)
        if self._folder is not None and self._folder.is_dir():
            found |= {
                path.name for path in self._folder.iterdir() if NAME.fullmatch(path.name) and self._versions(path)
            }
        return sorted(found)

    async def load_all(self):
        """Load every model that there is. One that cannot be loaded is left out, with its reason in `index`."""
        for name in self.names():
            try:
                await self.load(name)
            except ServingError as error:
                _log.error("Model %s was not loaded: %s", name, error)

    async def load(self, name: str):
        """Load a model, or load it anew from what is on disk now.

        The new versions are loaded beside the old ones and take their places in one moment. Requests and streams that
        the old ones have taken stay with them, and with the last of those they are freed.

        Raises:
            NotFound: If there is no such model on disk.
            BundleError: If one of its versions cannot be loaded. What was served before is served still.
            Unavailable: If the server is shutting down.
        """
        async with self._lock(name):
            self._refuse_if_closed()
            folders = self._find(name)
            loaded: dict[str, ServedModel] = {}
            loop = asyncio.get_running_loop()
            for version, path in folders.items():
                if version not in self._models.get(name, {}):
                    self._note(name, version, "LOADING")
                try:
                    loaded[version] = await loop.run_in_executor(None, self._read, name, version, path)
                except ServingError as error:
                    served = self._models.get(name, {})
                    for other in folders.keys() - served.keys():
                        self._note(name, other, "UNAVAILABLE", str(error) if other == version else "not loaded")
                    raise
            self._refuse_if_closed()  # meanwhile
            self._models[name] = dict(sorted(loaded.items(), key=lambda item: int(item[0])))
            self._states[name] = {version: ModelState(name, version, "READY") for version in self._models[name]}
            await asyncio.to_thread(give_back)

    async def unload(self, name: str):
        """Take a model away. Requests that it has taken are answered still.

        Raises:
            NotFound: If it is not loaded.
        """
        async with self._lock(name):
            if name not in self._models:
                raise NotFound(f"Model {name!r} is not loaded. Loaded: {listed(self._models)}.")
            for version in self._models.pop(name):
                self._note(name, version, "UNAVAILABLE", "unloaded")
            await asyncio.to_thread(give_back)

    def index(self) -> list[ModelState]:
        """How every version of every model stands."""
        states = []
        for name in sorted({*self.names(), *self._states}):
            known = self._states.get(name)
            states += known.values() if known else [ModelState(name, "", "UNAVAILABLE", "not loaded")]
        return states

    def get(self, name: str, version: str | None = None) -> ServedModel:
        """A model that can be asked.

        Args:
            name: Its name.
            version: Its version; None or an empty text for the highest.

        Raises:
            NotFound: If there is none; the message lists those there are.
            Unavailable: If the model is there, and not loaded.
        """
        versions = self._models.get(name)
        if versions is None:
            self._refuse_if_closed()
            if any(state.state == "LOADING" for state in self._states.get(name, {}).values()):
                raise Unavailable(f"Model {name!r} is being loaded. Try again.")
            if name in self._states:
                raise Unavailable(f"Model {name!r} is not loaded. Loaded: {listed(self._models)}.")
            raise NotFound(f"There is no model {name!r}. There are: {listed(self._models)}.")
        if not version:
            return next(reversed(versions.values()))
        if version not in versions:
            raise NotFound(f"Model {name!r} has no version {version!r}. It has: {listed(versions)}.")
        return versions[version]

    def signature(self, name: str, version: str | None = None) -> tuple[ServedModel, Signature]:
        """What the inference protocol calls a model: a bundle and one thing that can be asked of it.

        Args:
            name: A model's name, or that of one of its signatures: `"tagger"`, `"tagger.text"`.
            version: As in `get`.

        Raises:
            NotFound: If there is none.
            Unavailable: As in `get`.
        """
        model = self.get(name.partition(".")[0], version)
        signature = model.signatures.get(name)
        if signature is None:
            raise NotFound(f"Model {model.name!r} has no {name!r}. It has: {listed(model.signatures)}.")
        return model, signature

    async def close(self, drain_seconds: float | None = None):
        """Answer what has been taken, refuse the rest, and free everything."""
        self._closed = True
        models, self._models = self.models, {}
        await asyncio.gather(*(model.close(drain_seconds) for model in models))
        self._executor.shutdown(wait=False)

    def _read(self, name: str, version: str, path: Path) -> ServedModel:
        return ServedModel(
            name,
            version,
            path,
            settings=self.settings,
            executor=self._executor,
            observe_batch=self.observe_batch,
        )

    def _find(self, name: str) -> dict[str, Path]:
        """Version to folder of a model on disk."""
        if name in self._bundles:
            return {"1": self._bundles[name]}
        # The name is looked at before a path is made of it, so that none leads out of the folder.
        if NAME.fullmatch(name) and self._folder is not None:
            versions = self._versions(self._folder / name)
            if versions:
                return versions
        raise NotFound(f"There is no model {name!r} to load. There are: {listed(self.names())}.")

    def _versions(self, folder: Path) -> dict[str, Path]:
        if (folder / MANIFEST_FILE).is_file():
            return {"1": folder}
        if not folder.is_dir():
            return {}
        numbered = [path for path in folder.iterdir() if path.name.isascii() and path.name.isdigit()]
        return {
            path.name: path
            for path in sorted(numbered, key=lambda path: int(path.name))
            if (path / MANIFEST_FILE).is_file() and str(int(path.name)) == path.name != "0"
        }

    def _note(self, name: str, version: str, state: str, reason: str = ""):
        self._states.setdefault(name, {})[version] = ModelState(name, version, state, reason)

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())

    def _refuse_if_closed(self):
        if self._closed:
            raise Unavailable("The server is shutting down.")
