"""Monte-Carlo dropout: sure in the middle of a class, in doubt between two."""

from __future__ import annotations

import numpy as np

from imprint.train.selftrain.uncertainty import doubt
from imprint.vectors import unit

RNG = np.random.default_rng(0)
PROTOTYPES = unit(RNG.normal(size=(4, 64)))


def test_a_query_between_two_classes_is_in_more_doubt_than_one_at_a_prototype():
    between = unit((PROTOTYPES[0] + PROTOTYPES[1])[None])
    queries = np.concatenate([PROTOTYPES[:1], between])
    found = doubt(queries, PROTOTYPES, np.random.default_rng(1), n_passes=50)
    assert found.best[0] == 0
    assert found.agreement[0] == 1.0
    assert found.agreement[1] < 0.9
    assert found.information[0] < found.information[1]


def test_probabilities_sum_to_one_and_information_is_never_negative():
    queries = unit(RNG.normal(size=(30, 64)))
    found = doubt(queries, PROTOTYPES, np.random.default_rng(1))
    assert np.allclose(found.probabilities.sum(axis=1), 1, atol=1e-5)
    assert (found.information >= 0).all()
    # Mutual information is at most the entropy of the mean answer.
    entropy = -(found.probabilities * np.log(found.probabilities)).sum(axis=1)
    assert (found.information <= entropy + 1e-5).all()
