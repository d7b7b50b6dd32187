"""Other ways to run a transformer, which `transformer.py` times against a bundle, each with the weights of one model.

An encoder takes ids, `(batch, time)`, 0 where there is nothing, and returns its outputs, `(batch, time, features)`. A
decoder takes such ids and returns the best hypothesis of each source, as its ids `(batch, steps)` and its score
`(batch,)`, or no score where it computes none. The score is the log-probability, in beam search that by token.
"""
