"""Word embeddings: how they are learnt, read, compared and put to use."""
