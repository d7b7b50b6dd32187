"""Writes the site: the page, the client, ONNX Runtime for browsers, and what the page needs of each bundle."""

import base64
import hashlib
import importlib.metadata
import json
import os
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from keras_seq.serving.errors import InputError
from keras_seq.serving.model_name import NAME
from keras_seq.serving.site.runtime_files import WASM, WEBGPU, RuntimeFiles
from keras_seq.serving.site.site_model import SiteModel
from keras_seq.serving.site.site_report import SiteReport, Weight
from keras_seq.serving.whole_folder import whole_folder

SITE_FILE = "site.json"
"""What the page is told of the site; a folder that has it is one."""

_SERVING = resources.files("keras_seq.serving")
_INDEX, _HEAD, _WORKER = "index.html", "head.html", "service_worker.js"
_PAGE, _CLIENT, _RUNTIME, _MODELS = "page", "keras_seq", "onnxruntime", "models"
_TITLE = "  <title>keras_seq</title>\n"  # behind which the site's head goes
_FILES_MARK = "const FILES = {};"


def write_site(
    bundles: Mapping[str, str | Path],
    path: str | os.PathLike,
    *,
    variants: Sequence[str] = (),
    overwrite: bool = False,
    onnxruntime_web: str | Path | None = None,
    webgpu: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> SiteReport:
    """Writes a folder that any server of static files can offer.

    It is written whole or not at all.

    Args:
        bundles: Name, under which the page offers it, to the bundle's folder.
        path: Where the site is to be.
        variants: Those that a visitor may choose from, the default first; `"float"` is the graph itself. By default
            that and the quantised ones.
        overwrite: Whether a site that is there already may be replaced. Anything else that is there never is.
        onnxruntime_web: The npm package or its folder `dist`; by default that of the checkout, or one that is fetched.
        webgpu: Whether visitors may have their graphics processor compute.
        say: Told what is being done.

    Returns:
        What it weighs.

    Raises:
        BundleError: If a bundle is damaged, too new, or needs an operator that browsers lack.
        InputError: If there is no bundle, or a name will not do.
        ServingError: If onnxruntime-web is not to be had, or the folder cannot be written.

    Example:
        ```python
        report = write_site({"tagger": "out/tagger"}, "site")
        print(report.first_visit.gzip_bytes)
        ```
    """
    _check_names(bundles)
    models = []
    for name, folder in bundles.items():
        say(f"reading {folder}")
        models.append(SiteModel.read(name, folder, variants))
    runtime = RuntimeFiles.find(onnxruntime_web, webgpu=webgpu, say=say)
    with whole_folder(path, mark=SITE_FILE, what="site", overwrite=overwrite) as folder:
        say("writing the page")
        page = _write_page(folder)
        client = _write_client(folder / _CLIENT)
        wasm = _copy(runtime.folder, WASM, folder / _RUNTIME)
        gpu = _copy(runtime.folder, WEBGPU, folder / _RUNTIME) if webgpu else []
        for model in models:
            if model.manifest is not None:
                say(f"writing {model.name}")
                model.write(folder / _MODELS / model.name)
        told = _told(models, runtime, webgpu)
        (folder / SITE_FILE).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        page += [folder / SITE_FILE, _write_worker(folder, models, gpu)]
        say("measuring")
        return SiteReport(
            Path(path),
            runtime.version,
            page=Weight.of(*page),
            client=Weight.of(*client),
            runtime=Weight.of(*wasm),
            webgpu=Weight.of(*gpu) if webgpu else None,
            models={
                model.name: {
                    variant: Weight.of(*(folder / _MODELS / model.name / file for file in model.files_of(variant)))
                    for variant in model.variants
                }
                for model in models
            },
        )


def _check_names(bundles: Mapping[str, str | Path]):
    if not bundles:
        raise InputError("A site needs a bundle at least. Received: none.")
    for name in bundles:
        if not NAME.fullmatch(name):
            raise InputError(
                f"The name of a model is made of letters, digits, '-' and '_'. Received: {name!r}. Give the bundle "
                f"another name: NAME={bundles[name]}."
            )


def _write_page(folder: Path) -> list[Path]:
    """The page that the server has too, with the site's own programs beside it."""
    shared, own = _SERVING / "page", _SERVING / "site" / "page"
    (folder / _PAGE).mkdir()
    written = [folder / _INDEX]
    for item in (*shared.iterdir(), *own.iterdir()):
        if item.name not in (_INDEX, _HEAD, _WORKER):
            written.append(folder / _PAGE / item.name)
            written[-1].write_bytes(item.read_bytes())
    before, title, after = (shared / _INDEX).read_text(encoding="utf-8").partition(_TITLE)
    index = before + title + (own / _HEAD).read_text(encoding="utf-8") + after
    (folder / _INDEX).write_text(index, encoding="utf-8")
    return written


def _write_client(folder: Path) -> list[Path]:
    web = Path(str(_SERVING / "web"))
    files = [web / "index.js", *sorted((web / "src").rglob("*.js"))]
    for file in files:
        (folder / file.relative_to(web)).parent.mkdir(parents=True, exist_ok=True)
        (folder / file.relative_to(web)).write_bytes(file.read_bytes())
    return [folder / file.relative_to(web) for file in files]


def _copy(source: Path, names: Sequence[str], folder: Path) -> list[Path]:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes((source / name).read_bytes())
    return [folder / name for name in names]


def _told(models: Sequence[SiteModel], runtime: RuntimeFiles, webgpu: bool) -> dict[str, Any]:
    """What the page is told, as JSON has it."""
    backends = {"wasm": WASM} | ({"webgpu": WEBGPU} if webgpu else {})
    return {
        "keras_seq": importlib.metadata.version("keras_seq"),
        "onnxruntime_web": runtime.version,
        "backends": {
            name: {"module": f"{_RUNTIME}/{files[0]}", "bytes": sum((runtime.folder / f).stat().st_size for f in files)}
            for name, files in backends.items()
        },
        "models": [{**model.entry(), "folder": f"{_MODELS}/{model.name}/"} for model in models],
    }


def _write_worker(folder: Path, models: Sequence[SiteModel], later: Sequence[Path]) -> Path:
    """The service worker, told every file with its digest, and whether a first visit keeps it."""
    others = {folder / _MODELS / model.name / file for model in models for file in _others(model)} | set(later)
    files = {
        file.relative_to(folder).as_posix(): {"integrity": _integrity(file), "kept": file not in others}
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
    program = (_SERVING / "site" / "page" / _WORKER).read_text(encoding="utf-8")
    before, _, after = program.partition(_FILES_MARK)
    told = json.dumps(files, indent=1, ensure_ascii=False)
    (folder / _WORKER).write_text(f"{before}const FILES = {told};{after}", encoding="utf-8")
    return folder / _WORKER


def _others(model: SiteModel) -> set[str]:
    """The files of the variants that are not the default."""
    if model.manifest is None:
        return set()
    return set(model.manifest.files) - set(model.files_of(model.variants[0]))


def _integrity(path: Path) -> str:
    """The digest of a file as browsers compare it (Subresource Integrity)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(path.read_bytes()).digest()).decode()
