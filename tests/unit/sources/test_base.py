from __future__ import annotations

import numpy as np
import pytest

from imgclf.errors import DatasetError
from imgclf.sources import Samples


def test_lists_become_arrays():
    samples = Samples(["a", "b"], [0, -1])
    assert (samples.keys.tolist(), samples.labels.tolist(), len(samples)) == (["a", "b"], [0, -1], 2)
    assert samples.labels.dtype == np.int32
    assert len(Samples([], [])) == 0


@pytest.mark.parametrize(
    ("keys", "labels", "said"),
    [
        (["a"], [0, 1], "give one label per key"),
        (["a", "b", "a"], [0, 1, 1], "more than once: 'a'. Rename them"),
        (["a", "b"], [0, 1.5], "expected whole numbers"),
        (["a", "b"], ["x", "y"], "expected whole numbers"),
        (["a", "b"], [2**32, 2**32 + 1], "expected positions in class_names"),
    ],
)
def test_what_does_not_fit_is_said(keys, labels, said):
    with pytest.raises(DatasetError, match=said):
        Samples(keys, labels)
