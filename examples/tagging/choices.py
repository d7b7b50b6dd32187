"""What the command line offers; here, because the models themselves need Keras, which takes seconds to load."""

MODELS = ("lstm", "transformer")
NUM_HEADS = 4  # of the transformer; the width of each must be even
