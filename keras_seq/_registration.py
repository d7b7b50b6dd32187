"""Makes the layers known to Keras without importing Keras.

`keras.saving.load_model` finds a custom layer by its registered name, once the module that defines it is imported. That
import needs Keras, which must not be loaded by `import keras_seq` alone. So it waits for Keras: the modules are
imported right after `keras`, whoever imports it.
"""

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType


def register_with_keras(*modules: str) -> None:
    """Imports modules now if Keras is loaded, otherwise as soon as it is.

    Each module must import `keras` before anything else of this library that does: it may be the one that loads Keras,
    and is then still being imported when its turn comes.

    Args:
        *modules: full names, such as `"keras_seq.recurrent"`.
    """
    if "keras" in sys.modules:
        _import_all(modules)
    else:
        sys.meta_path.insert(0, _KerasFinder(modules))


def _import_all(modules: Sequence[str]) -> None:
    for name in modules:
        importlib.import_module(name)


class _KerasFinder(importlib.abc.MetaPathFinder):
    """Finds `keras` as the other finders would, with a loader that goes on to import the waiting modules."""

    def __init__(self, modules: Sequence[str]):
        self.modules = modules

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "keras":
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = _KerasLoader(spec.loader, self)
                return spec
        return None


class _KerasLoader(importlib.abc.Loader):
    """Loads `keras` with its own loader, takes every trace of itself away, and imports the waiting modules."""

    def __init__(self, loader: importlib.abc.Loader, finder: _KerasFinder):
        self.loader = loader
        self.finder = finder

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        if self.finder in sys.meta_path:
            sys.meta_path.remove(self.finder)
        _import_all(self.finder.modules)
