"""Passes over ONNX graphs: what a converter writes, turned into what one would write by hand."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={"optimise": ["optimise"]})
