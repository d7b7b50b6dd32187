"""A static site that runs bundles on the visitor's own device: the page of the server, with no server behind it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "runtime_files": ["RuntimeFiles"],
        "site_report": ["SiteReport"],
        "write_site": ["write_site"],
    },
)
