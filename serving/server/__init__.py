"""The server: bundles behind HTTP, with requests batched, streams kept and limits held. Needs the extra `serve`."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "app": ["create_app"],
        "repository": ["ModelRepository", "ModelState"],
        "served_model": ["ServedModel"],
        "settings": ["ServerSettings"],
        "signature": ["Signature"],
    },
)
