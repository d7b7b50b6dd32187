"""The Open Inference Protocol, version 2, over HTTP: health, metadata, inference and the repository of models.

The protocol is at https://github.com/kserve/open-inference-protocol; binary tensor data, classification, parameters and
the model repository are the extensions of those names in Triton's documentation.
"""
