"""`keras-seq inspect`: what a bundle says of itself."""

from keras_seq.cli.manifest_view import manifest_json, print_manifest
from keras_seq.cli.options import BundlePath, Json
from keras_seq.cli.output import print_json


def inspect(bundle: BundlePath, json: Json = False) -> None:
    """Show what a bundle holds: inputs, outputs, states, operators, layers, parity, metadata, files.

    Reads the manifest alone; `keras-seq verify` checks the files against it.
    """
    from keras_seq.serving.bundle import Bundle

    loaded = Bundle.load(bundle, check_files=False)
    if json:
        print_json(manifest_json(bundle, loaded.manifest))
    else:
        print_manifest(bundle, loaded.manifest)
