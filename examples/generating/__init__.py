"""What the demos that generate share: vocabularies, batches of pairs, training, hypotheses for many sources.

`vocabulary`, `padding` and `hypotheses` need no Keras and serve the programs that run without it; the others are for
those that train.
"""
