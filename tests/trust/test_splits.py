"""1,000 random sets, split and folded: what parts must never share, and how near they come to the shares wanted."""

from __future__ import annotations

import hashlib
import warnings

import numpy as np
import pytest

from imgclf.dataset import Dataset
from imgclf.errors import DatasetError
from imgclf.grouping import joined

SETS, SIDE = 1050, 16
PARTED, MISSED = "only exact copies are kept together", "parts miss their shares"
RING = "share groups or duplicates with other classes"


class RandomSet:
    """Pictures with exact and nearly equal copies, some of them under another label, and with groups.

    What belongs together is known from how the set was made, so that the search for duplicates is tested too.
    """

    def __init__(self, number):
        rng = np.random.default_rng(number)
        classes, count = int(rng.integers(2, 6)), int(rng.integers(8, 50))
        copied = rng.random(count) < [0.0, 0.1, 0.5][number % 3]
        original = np.repeat(np.arange(count), np.where(copied, rng.integers(2, 5, count), 1))
        images = rng.integers(0, 240, (count, SIDE, SIDE, 1), dtype=np.uint8)[original]
        level = rng.integers(0, 2, (len(images), 1, 1, 1), dtype=np.uint8)  # brighter by one level of 256
        images += level
        labels = original % classes
        slips = np.flatnonzero((np.diff(original, prepend=-1) == 0) & (rng.random(len(labels)) < 0.2))
        labels[slips] = rng.integers(0, classes, len(slips))
        group = np.arange(count) if number % 2 else rng.integers(0, count, count)
        order = rng.permutation(len(images))
        names = [f"class {label}" for label in range(classes)]
        self.data = Dataset.from_arrays(images[order], labels[order], names)
        near = original * classes + labels  # under two labels only equal pixels stay together
        exact = 2 * original + level.ravel()
        self.units = joined(near[order], exact[order], group[original[order]])
        self.groups = dict(zip(self.data.keys.tolist(), group[original[order]].tolist(), strict=True))
        self.table = np.zeros((self.units.max() + 1, classes), int)  # pictures of each unit and class
        np.add.at(self.table, (self.units, self.data.labels), 1)

    @property
    def counts(self):
        return self.table.sum(axis=0)

    @property
    def spanning(self):
        """Whether classes share units: then a unit that suits the one may not suit the other."""
        return (self.table > 0).sum(axis=1).max() > 1

    def possible(self, parts):
        return (self.table > 0).sum(axis=0).min() >= parts

    def check(self, parts, wanted):
        """Where each picture is, and how many units the parts are away from the numbers *wanted* ``(parts, k)``."""
        place = {str(key): number for number, part in enumerate(parts) for key in part.keys}
        assert sum(map(len, parts)) == len(place) == len(self.data)
        at = np.array([place[str(key)] for key in self.data.keys])
        assert all(len(np.unique(at[self.units == unit])) == 1 for unit in range(len(self.table)))
        got = np.zeros((len(parts), len(self.counts)), int)
        np.add.at(got, (at, self.data.labels), 1)
        assert got.min() >= 1
        return place, float((np.abs(got - wanted) / self.table.max(axis=0)).max())


def attempt(random_set, parts, make):
    """What *make* gives; None where it refuses rightly: a class has too few units, or classes share them in a ring.

    Where it is near copies that leave it no way, it says so and parts those.
    """
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            made = make()
    except DatasetError as error:
        assert not random_set.possible(parts) or RING in str(error)
        return None
    if any(PARTED in str(one.message) for one in told):
        assert not random_set.possible(parts) or random_set.spanning
        return None
    assert all(MISSED in str(one.message) for one in told)
    assert random_set.possible(parts)
    return made


@pytest.mark.promise("splits", "random sets are split into disjoint, stratified parts with no group or copy across")
def test_a_thousand_random_splits(record_property):
    away, refused, pictures = [], 0, 0
    for number in range(SETS):
        chosen = RandomSet(number)
        share = 0.1 + 0.4 * (number % 7) / 6
        split = attempt(chosen, 2, lambda: chosen.data.split(validation=share, groups=chosen.groups, seed=number))  # noqa: B023
        if split is None:
            refused += 1
            continue
        furthest = chosen.check(split, np.outer([1 - share, share], chosen.counts))[1]
        assert furthest <= 1 or chosen.spanning
        away.append(furthest)
        pictures += len(chosen.data)
    assert refused <= SETS / 50
    assert max(away) <= 2  # classes that share units cannot all have their share
    assert np.mean(np.array(away) <= 1) > 0.98
    record_property(
        "measured",
        f"{len(away):,} sets of {pictures:,} pictures ({refused} refused): 0 copies or groups across, shares "
        f"within one unit in {np.mean(np.array(away) <= 1):.1%}, furthest {max(away):.2f}",
    )


@pytest.mark.promise("splits", "folds hold every picture once, stratified, with no group or copy across")
def test_random_folds(record_property):
    away, refused = [], 0
    for number in range(SETS // 5):
        chosen, count = RandomSet(number), 2 + number % 3
        folds = attempt(chosen, count, lambda: chosen.data.folds(count, groups=chosen.groups))  # noqa: B023
        if folds is None:
            refused += 1
            continue
        for train, validation in folds:
            assert not set(train.keys) & set(validation.keys)
            assert len(train) + len(validation) == len(chosen.data)
        wanted = np.tile(chosen.counts / count, (count, 1))
        away.append(chosen.check([validation for _, validation in folds], wanted)[1])
    assert refused < SETS / 5 / 4
    assert max(away) <= 2
    record_property(
        "measured", f"{len(away)} sets ({refused} refused): furthest {max(away):.2f} units from an equal share"
    )


@pytest.mark.promise("splits", "a split does not depend on the order of listing, and adding pictures moves few others")
def test_splits_are_stable(record_property):
    moved, alone = [], []
    for number in range(0, SETS, 5):
        chosen = RandomSet(number)
        order = np.random.default_rng(number).permutation(len(chosen.data))
        split = attempt(chosen, 2, lambda: chosen.data.split(groups=chosen.groups))  # noqa: B023
        if split is None:
            continue
        place = chosen.check(split, 0)[0]
        turned = chosen.data.take(order).split(groups=chosen.groups)
        assert chosen.check(turned, 0)[0] == place
        try:
            before = chosen.data.take(np.sort(order[1:])).split(groups=chosen.groups)  # one picture fewer
        except DatasetError:
            continue
        changed = np.mean([place[str(key)] != side for side, part in enumerate(before) for key in part.keys])
        moved.append(changed)
        if len(chosen.table) == len(chosen.data):
            alone.append(changed)
    assert np.mean(moved) < 0.06
    assert np.mean(alone) < 0.02
    record_property(
        "measured",
        f"{len(moved)} sets of about 50 pictures: one more moves {np.mean(alone):.1%} of the others on average where "
        f"each stands alone, {np.mean(moved):.1%} over all sets, most of which are full of groups",
    )


def plain_split(data, share, seed):
    """Version 0.1's split: in each class the first of the keys ranked by their hash."""
    held = set()
    for label in np.unique(data.labels):
        members = [str(key) for key in data.keys[data.labels == label]]
        members.sort(key=lambda key: hashlib.sha256(f"{seed}\0{key}".encode()).digest())
        held.update(members[: min(max(int(len(members) * share + 0.5), 1), len(members) - 1)])
    return held


@pytest.mark.promise("splits", "without groups and copies the split is that of version 0.1, picture for picture")
def test_published_splits_stay():
    rng = np.random.default_rng(0)
    for number in range(100):
        labels = np.concatenate([np.arange(3), np.arange(3), rng.integers(0, 3, int(rng.integers(0, 60)))])
        images = rng.integers(0, 256, (len(labels), SIDE, SIDE, 1), dtype=np.uint8)
        data, share = Dataset.from_arrays(images, labels, ["a", "b", "c"]), float(rng.uniform(0.01, 0.99))
        assert set(data.split(validation=share, seed=number)[1].keys) == plain_split(data, share, number)
