"""`keras-seq explain`: how each layer of a model trains and exports."""

from keras_seq.cli.model_file import check_model_file, load_model, require_export_extra
from keras_seq.cli.options import Imports, Json, ModelPath
from keras_seq.cli.output import print_json, print_line, print_table, progress


def explain(model: ModelPath, imports: Imports = None, json: Json = False) -> None:
    """Say layer by layer which kernel training takes, what the layer exports to, and why.

    The kernels are those of this machine and of the Keras backend that is set.
    """
    check_model_file(model)
    require_export_extra("explaining a model", backend=None)
    with progress() as say:
        say(f"loading {model}")
        loaded = load_model(model, imports or ())
        from keras_seq.export import explain as explain_model

        explanation = explain_model(loaded)
    if json:
        print_json(explanation.to_dict())
        return
    rows = []
    for layer in explanation.layers:
        reasons = [f"{layer.kernel}: {layer.kernel_reason}"] if layer.kernel_reason else []
        reasons += [f"{layer.lowering}: {layer.lowering_reason}"] if layer.lowering_reason else []
        rows.append([layer.name, layer.layer_class, layer.kernel, layer.lowering, "; ".join(reasons)])
    print_line(f"{explanation.model} on the {explanation.backend} backend", style="bold")
    print_table("layers", ["layer", "class", "trains on", "exports to", "why"], rows)
