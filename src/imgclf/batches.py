"""``Dataset`` + ``Augmentation`` → batches for Keras; a batch is a pure function of (seed, step).

In: uint8 pictures.  Out: ``(uint8 pixels, labels, weights)``, in an order that only the seed decides.  The network's
input, which is float32 0..255, converts the pixels: a quarter of the bytes goes through the queues.
Keras looks at batches before the first epoch, and its own shuffling follows other seeds than yours; so nothing here
has a state, and ``fit`` is called with ``shuffle=False``.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from .augmentation import Augmentation
from .dataset import Dataset
from .errors import OptionError

Batch = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32], npt.NDArray[np.float32]]


class Batches(keras.utils.PyDataset):
    """The training steps of a run, one after the other, over all its epochs.

    The pictures are passed through in a new order each time all have been seen; a step never spans two passes.  The
    version of a picture is drawn from (seed, pass, its position), so it depends neither on the batch nor the backend.

    Args:
        dataset: The pictures.
        batch_size: Pictures in a batch; the last of a pass may be smaller.
        seed: Decides order and augmentation.
        augmentation: None leaves the pictures as they are.
        shuffle: False serves them in the set's order, for evaluation.
        steps: How many steps there are in all; None means one pass.
        start: The step that comes first here, where a run goes on.
        class_weights: ``(k,)`` the weight of each class in the loss; None means 1 for all.
        ahead: How many batches a thread prepares ahead of the step; 0 prepares each when it is asked for.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        batch_size: int,
        seed: int = 0,
        augmentation: Augmentation | None = None,
        shuffle: bool = True,
        steps: int | None = None,
        start: int = 0,
        class_weights: npt.NDArray[np.float32] | None = None,
        ahead: int = 0,
    ) -> None:
        # One worker, and the thread is ours: with more, Keras's own queue begins at step 0 in every epoch, and each
        # epoch would see the same batches.
        super().__init__(workers=1, use_multiprocessing=False)
        if batch_size < 1:
            raise OptionError(f"batch_size is {batch_size}; expected at least 1.")
        self.dataset = dataset
        self.batch_size = batch_size
        self.seed = seed
        self.augmentation = augmentation
        self.shuffle = shuffle
        self.steps_per_pass = -(-len(dataset) // batch_size)
        self.steps = self.steps_per_pass if steps is None else steps
        self.start = start
        self.class_weights = class_weights
        self.ahead = ahead
        self._pool = ThreadPoolExecutor(1) if ahead else None
        self._pending: dict[int, Future[Batch]] = {}
        self._order = lru_cache(maxsize=2)(self._permutation)  # threads may be in two passes at once

    def __len__(self) -> int:
        return self.steps - self.start

    def __getitem__(self, number: int) -> Batch:
        step = self.start + number
        if self._pool is None:
            return self.batch(step)
        for later in range(step, min(step + self.ahead + 1, self.steps)):
            if later not in self._pending:
                self._pending[later] = self._pool.submit(self.batch, later)
        return self._pending.pop(step).result()

    def starting_at(self, step: int) -> Batches:
        """The same steps from *step* on."""
        return Batches(
            self.dataset,
            batch_size=self.batch_size,
            seed=self.seed,
            augmentation=self.augmentation,
            shuffle=self.shuffle,
            steps=self.steps,
            start=step,
            class_weights=self.class_weights,
            ahead=self.ahead,
        )

    def close(self) -> None:
        """Stop preparing and let the pictures go: TensorFlow keeps every sequence that it was once given."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._pending.clear()
        self.dataset = replace(self.dataset.take([]), store=self.dataset.store[:0].copy())

    def batch(self, step: int) -> Batch:
        """The batch of step *step*, from (seed, step) alone."""
        positions, passed = self.positions(step)
        pictures = self.dataset.pictures(positions)
        if self.augmentation is not None:
            pictures = self.augmentation(pictures, seed=self.seed, epoch=passed, indices=positions)
        labels = self.dataset.labels[positions]
        weights = np.ones(len(labels), np.float32) if self.class_weights is None else self.class_weights[labels]
        return pictures, labels, weights

    def positions(self, step: int) -> tuple[npt.NDArray[np.int64], int]:
        """Which pictures step *step* takes, as positions in the set, and the number of the pass (from 0)."""
        passed, within = divmod(step, self.steps_per_pass)
        return self._order(passed)[within * self.batch_size : (within + 1) * self.batch_size], passed

    def _permutation(self, passed: int) -> npt.NDArray[Any]:
        if not self.shuffle:
            return np.arange(len(self.dataset))
        # four numbers: three are the key of a picture's augmentation, and NumPy pads shorter keys with zeros
        return np.random.default_rng((self.seed, passed, 0, 1)).permutation(len(self.dataset))
