"""What a manifest says of quantised graphs, as tables."""

from typing import Any

from keras_seq.cli.output import print_line, print_table, size_text


def print_quantization(variant: str, found: dict[str, Any]) -> None:
    """Prints what a quantised variant loses, and what became of each layer.

    Args:
        variant: Its name.
        found: As `quantization` in the manifest holds it.
    """
    print_line(f"{variant}: tried on {found['measured_on']}, on a processor with {found['processor']}")
    for line in found["unknown"]:
        print_line(f"not known: {line}")
    rows = [
        [graph, size_text(size["float"]), size_text(size["quantized"]), f"{size['quantized'] / size['float']:.2f}"]
        for graph, size in found["sizes"].items()
    ]
    print_table(f"{variant}: sizes", ["graph", "float32", variant, "part"], rows, right=["float32", variant, "part"])
    if found["metrics"]:
        columns = ["graph", "metric", "float32", variant, "drop"]
        rows = [
            [row["graph"], row["metric"], f"{row['before']:.4f}", f"{row['after']:.4f}", f"{row['drop']:+.2%}"]
            for row in found["metrics"]
        ]
        print_table(f"{variant}: the task", columns, rows, right=columns[2:])
    columns = ["graph", "output", "answers the same", "largest difference", "mean difference", "mean size"]
    rows = [
        [
            row["graph"],
            row["output"],
            "" if row["agreement"] is None else f"{row['agreement']:.2%}",
            *(f"{row[name]:.1e}" for name in ("max_abs_diff", "mean_abs_diff", "mean_abs")),
        ]
        for row in found["accuracy"]
    ]
    print_table(f"{variant}: the outputs", columns, rows, right=columns[2:])
    rows = [
        [graph, row["layer"], row["operator"], f"{row['elements']:,}", row["form"], row["reason"]]
        for graph, decisions in found["layers"].items()
        for row in decisions
    ]
    columns = ["graph", "layer", "operator", "weights", "becomes", "why"]
    print_table(f"{variant}: the weights", columns, rows, right=["weights"])
    if found["sensitivity"]:
        rows = [
            [
                row["layer"],
                f"{row['relative_diff']:.3%}",
                f"{row['max_abs_diff']:.1e}",
                "" if row["agreement"] is None else f"{row['agreement']:.2%}",
                "stays float32" if row["layer"] in found["kept_float"] else "",
            ]
            for row in found["sensitivity"]
        ]
        columns = ["layer", "outputs move by", "at most", "answers the same", ""]
        print_table(f"{variant}: each layer alone", columns, rows, right=columns[1:4])
