"""Word embeddings: how they are learnt, read, compared and put to use.

`WordVectors` and all that compares, reads and writes them take NumPy alone; what learns them needs Keras.
"""

import lazy_loader

from keras_seq._extras import naming_extra

# No function has the name of its module: whoever imports the module would put it in the function's place.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "analogy_score": ["AnalogyScore", "AnalogySection", "score_analogies"],
        "bias": ["BiasDirection", "bias_direction", "direct_bias"],
        "cooccurrence": ["cooccurrence_matrix"],
        "counted_vocabulary": ["CountedVocabulary"],
        "debiasing": ["debias", "equalize", "neutralize"],
        "debiasing_report": ["DebiasingReport"],
        "embedding_layer": ["Coverage", "coverage", "to_embedding_layer"],
        "glove": ["GloVe"],
        "huffman_tree": ["HuffmanTree"],
        "negative_sampling": ["NoiseDistribution"],
        "similarity_score": ["SimilarityScore", "score_similarity"],
        "skip_gram": ["SkipGram"],
        "skip_gram_pairs": ["SkipGramPairs", "Windows"],
        "subsampling": ["keep_probabilities"],
        "vector_file": ["read_word_vectors", "write_word_vectors"],
        "vector_plot": ["plot"],
        "word_vectors": ["WordVectors"],
    },
)
__getattr__ = naming_extra(__getattr__, "embeddings", ["keras", "scipy", "tensorflow"])
