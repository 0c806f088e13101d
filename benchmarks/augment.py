"""Augmentation alone, on one core, with document 003's settings."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

from .harness import OURS, Benchmark, Options

Once = Callable[[], Mapping[str, float]]
_TURN, _SHIFT, _ZOOM, _SHEAR = 40, 0.2, 0.2, 0.2  # degrees, shares of a side, share, degrees
_BATCH = 32
_EPOCHS = 8  # of ours in a round, which would be over in a tenth of a second otherwise


def _pictures(options: Options) -> Any:
    import numpy as np

    count, side = (8, 32) if options.tiny else (512, 150)
    return np.random.default_rng(3).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def _starts(images: Any) -> range:
    return range(0, len(images), _BATCH)


def ours(options: Options) -> Once:
    """``Augmentation.preset("book")``, a batch at a time."""
    import numpy as np

    from imgclf import Augmentation

    images, book = _pictures(options), Augmentation.preset("book")
    epochs = itertools.count()

    def once() -> Mapping[str, float]:
        for now in itertools.islice(epochs, _EPOCHS):
            for start in _starts(images):
                batch = images[start : start + _BATCH]
                book(batch, seed=0, epoch=now, indices=np.arange(start, start + len(batch)))
        return {"pictures": _EPOCHS * len(images)}

    once()
    return once


def generator(options: Options) -> Once:
    """``ImageDataGenerator.flow`` over the same pictures, as document 003 sets it."""
    import numpy as np
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    images = _pictures(options)
    flow = ImageDataGenerator(
        rotation_range=_TURN,
        width_shift_range=_SHIFT,
        height_shift_range=_SHIFT,
        shear_range=_SHEAR,
        zoom_range=_ZOOM,
        horizontal_flip=True,
    ).flow(images.astype(np.float32), batch_size=_BATCH, shuffle=False)

    def once() -> Mapping[str, float]:
        return {"pictures": sum(len(next(flow)) for _ in _starts(images))}

    next(flow)
    flow.reset()
    return once


def layers(options: Options) -> Once:
    """A chain of ``keras.layers.Random*``, mapped over batches by ``tf.data`` as keras.io does it."""
    import keras
    import tensorflow as tf

    images, shear = _pictures(options), math.tan(math.radians(_SHEAR))
    chain = keras.Sequential(
        [
            keras.layers.RandomRotation(_TURN / 360, fill_mode="nearest"),
            keras.layers.RandomTranslation(_SHIFT, _SHIFT, fill_mode="nearest"),
            keras.layers.RandomShear(shear, shear, fill_mode="nearest"),
            keras.layers.RandomZoom(_ZOOM, _ZOOM, fill_mode="nearest"),
            keras.layers.RandomFlip("horizontal"),
        ]
    )
    batches = tf.data.Dataset.from_tensor_slices(images).batch(_BATCH)
    batches = batches.map(lambda batch: chain(tf.cast(batch, tf.float32), training=True), tf.data.AUTOTUNE)
    batches = batches.prefetch(tf.data.AUTOTUNE)

    def once() -> Mapping[str, float]:
        return {"pictures": sum(len(batch) for batch in batches)}

    next(iter(batches))
    return once


def torchvision(options: Options) -> Once:
    """The ``RandomAffine`` and ``RandomHorizontalFlip`` of torchvision, a picture at a time, on uint8."""
    import torch
    from torchvision.transforms import v2

    images = torch.from_numpy(_pictures(options)).permute(0, 3, 1, 2).contiguous()
    chain = v2.Compose(
        [
            v2.RandomAffine(
                _TURN,
                translate=(_SHIFT, _SHIFT),
                scale=(1 - _ZOOM, 1 + _ZOOM),
                shear=_SHEAR,
                interpolation=v2.InterpolationMode.BILINEAR,
            ),
            v2.RandomHorizontalFlip(),
        ]
    )
    torch.set_num_threads(options.threads or 1)

    def once() -> Mapping[str, float]:
        return {"pictures": len(torch.stack([chain(image) for image in images]))}

    chain(images[0])
    return once


BENCHMARK = Benchmark(
    name="augment",
    title="Augmentation on one core",
    unit="pictures",
    contenders={
        OURS: ours,
        "ImageDataGenerator": generator,
        "keras.layers.Random*": layers,
        "torchvision": torchvision,
    },
    reference="ImageDataGenerator",
    target=10.0,
    needs={"keras.layers.Random*": ("tensorflow",), "torchvision": ("torch", "torchvision")},
    group="Loading",
    threads=1,
    about="512 pictures of 150×150×3 in memory, in batches of 32, with the settings of document 003: turned by up to "
    "40 degrees, shifted by up to 0.2 both ways, sheared, zoomed by 0.8 to 1.2, mirrored. torchvision fills what lies "
    "outside with black and zooms both ways alike, which is less work.",
)
