import numpy as np

from generating.hypotheses import generate_all


def test_every_source_gets_its_own_result_whatever_it_was_batched_with():
    random = np.random.default_rng(3)
    sources = [random.integers(4, 90, length).astype("int32") for length in random.integers(1, 13, 23)]
    batches = []

    def generate(rows):
        batches.append([len(row) for row in rows])
        return [row.tolist() for row in rows]

    assert generate_all(generate, sources, batch_size=5) == [source.tolist() for source in sources]
    assert [len(batch) for batch in batches] == [5, 5, 5, 5, 3]
    lengths = [length for batch in batches for length in batch]
    assert lengths == sorted(lengths)
