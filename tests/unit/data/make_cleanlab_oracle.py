"""What cleanlab says of 60 random sets of predictions, for tests/unit/test_label_errors.py.

    pip install cleanlab==2.9.0 && python tests/unit/data/make_cleanlab_oracle.py

cleanlab is no dependency: its answers are kept in ``cleanlab_oracle.npz`` beside this script.  Where two pictures or
two rounded numbers are equal, its answer depends on how NumPy sorts on the processor at hand; here the first comes
first.
"""

import warnings
from pathlib import Path

import numpy as np
from cleanlab.filter import find_label_issues

unstable = np.argsort
np.argsort = lambda values, **options: unstable(values, **{**options, "kind": "stable"})

RULES = {"noise_rate": "prune_by_noise_rate", "both": "both", "confident": "confident_learning"}


def case(number):
    """Probabilities float32 ``(n, k)`` and labels ``(n,)``: pure chance, good networks, vain ones, tiny classes."""
    rng = np.random.default_rng(number)
    classes, count = int(rng.integers(2, 9)), int(rng.integers(12, 100))
    kind = number % 5
    truth = rng.integers(0, classes, count)
    if kind == 4:  # a class with a single picture, and one without any
        truth = np.concatenate([np.zeros(count - 1, int), [1]])
    labels = np.where(rng.random(count) < 0.1, rng.integers(0, classes, count), truth)
    scores = rng.normal(size=(count, classes))
    scores[np.arange(count), truth] += (0.0, 3.0, 3.0, 1.0, 1.5)[kind]
    scores[:, 0] += kind == 3  # one class is everyone's favourite
    scores *= (1.0, 1.0, 4.0, 1.0, 1.0)[kind]
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32), labels.astype(np.int32)


def main():
    """Ask cleanlab, and write its answers."""
    arrays = {}
    for number in range(60):
        probabilities, labels = case(number)
        arrays[f"{number}_probabilities"], arrays[f"{number}_labels"] = probabilities, labels
        for rule, name in RULES.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # on classes that are too small
                arrays[f"{number}_{rule}"] = find_label_issues(
                    labels.astype(int),
                    probabilities.astype(np.float64),
                    filter_by=name,
                    return_indices_ranked_by="self_confidence",
                    n_jobs=1,
                ).astype(np.int16)
    np.savez_compressed(Path(__file__).with_name("cleanlab_oracle.npz"), **arrays)


if __name__ == "__main__":
    main()
