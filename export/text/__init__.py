"""Text in the graph: strings in, strings out."""
