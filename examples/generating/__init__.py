"""What the demos that generate share: vocabularies, batches of pairs, training, decoding with an exported bundle.

`vocabulary`, `padding` and `bundle` need no Keras and serve the programs that run without it; `batches`, `model` and
`training` are for those that train.
"""
