"""An augmented epoch of document 003: 100 steps of 32 photographs at 150×150, then validation on 1,000."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from .gate import Epochs
from .harness import OURS, Benchmark, Options, Round, Target, faster, with_target
from .pictures import folders
from .steps import forever

Once = Callable[[], Mapping[str, float]]
_BATCH = 32
_SIZE = (150, 150)
_MANY = 1000  # epochs: more than anybody lets go
_TUTORIAL, _TODAY = "tutorial's way", "today's Keras"


def _steps(options: Options) -> tuple[int, int]:
    """Of training and of validation."""
    return (2, 1) if options.tiny else (100, 32)


def parts(options: Options) -> tuple[Path, Path]:
    """The folders of the training and the validation pictures."""
    found = folders(options)
    return found[0], found[min(1, len(found) - 1)]


def training(options: Options, precision: str, augmentation: str | None = "book") -> Epochs:
    """``Trainer.fit`` of document 003's recipe, an epoch at a time."""
    from imgclf import Dataset, FolderSource, Trainer

    train, validation = (
        Dataset.load(FolderSource(folder), image_size=_SIZE, progress=False) for folder in parts(options)
    )
    steps = _steps(options)[0]

    def fit(callbacks: list[Any]) -> Any:
        trainer = Trainer(
            "small_cnn",
            options={"dropout": 0.5},
            learning_rate=1e-4,
            augmentation=augmentation,
            batch_size=_BATCH,
            epochs=_MANY,
            steps_per_epoch=steps,
            precision=precision,  # type: ignore[arg-type]
            callbacks=callbacks,
        )
        return trainer.fit(train, validation, verbose=0)

    return Epochs(fit, steps, _BATCH, partial(bare, options=options))


def bare(model: Any, options: Options) -> Mapping[str, float]:
    """The steps of an epoch of ours alone, on a batch that is in place: no pictures are prepared, nothing is fed.

    In the same process and on the same model as the epoch beside it: two processes that compute the same differ by as
    much as a tenth for as long as they live, by where their memory happens to lie.
    """
    import keras
    import numpy as np

    pixels = np.random.default_rng(0).integers(0, 256, (_BATCH, *_SIZE, 3)).astype(np.uint8)
    labels, weights = (np.arange(_BATCH) % 2).astype(np.int32), np.ones(_BATCH, np.float32)
    steps, checks = _steps(options)
    last = 8  # of 1,000 pictures for validation

    def passed(function: Callable[[Any], Any], sizes: list[int]) -> float:
        batches = {size: forever(pixels[:size], labels[:size], weights[:size]) for size in set(sizes)}
        start = time.perf_counter()
        for size in sizes:
            logs = function(batches[size])
        float(keras.ops.convert_to_numpy(logs["loss"]))
        return time.perf_counter() - start

    trained = passed(model.train_function, [_BATCH] * steps)
    tested = passed(model.test_function, [*[_BATCH] * (checks - 1), last])
    return {"bare_training_seconds": trained, "bare_validation_seconds": tested}


def _model(*first: Any) -> Any:
    """Document 003's second network, as the tutorial writes it."""
    import keras
    from keras import layers

    model = keras.Sequential([keras.Input((*_SIZE, 3)), *first])
    for filters in (32, 64, 128, 128):
        model.add(layers.Conv2D(filters, 3, activation="relu"))
        model.add(layers.MaxPooling2D(2))
    model.add(layers.Flatten())
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(512, activation="relu"))
    model.add(layers.Dense(1, activation="sigmoid"))
    optimizer = keras.optimizers.RMSprop(learning_rate=1e-4)
    model.compile(loss="binary_crossentropy", optimizer=optimizer, metrics=["accuracy"])
    return model


def endless(batches: Iterator[Any]) -> Iterator[Any]:
    """One batch of a ``DirectoryIterator`` after the other, as Keras 2 asked for them.

    Keras 3 asks for its length, 63 batches, and ends every epoch there with a warning, whatever ``steps_per_epoch`` is.
    """
    while True:
        yield next(batches)


def tutorial(options: Options) -> Once:
    """``ImageDataGenerator``, ``flow_from_directory`` and ``fit``, as in the document, and as many steps as it says."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    moved = ImageDataGenerator(
        rescale=1 / 255,
        rotation_range=40,
        width_shift_range=0.2,
        height_shift_range=0.2,
        shear_range=0.2,
        zoom_range=0.2,
        horizontal_flip=True,
    )
    folder, checked = parts(options)
    train, validation = (
        generator.flow_from_directory(place, target_size=_SIZE, batch_size=_BATCH, class_mode="binary")
        for generator, place in ((moved, folder), (ImageDataGenerator(rescale=1 / 255), checked))
    )
    model, (steps, checks) = _model(), _steps(options)

    def fit(callbacks: list[Any]) -> Any:
        warnings.filterwarnings("ignore", message="Your .PyDataset.")
        return model.fit(
            endless(train),
            steps_per_epoch=steps,
            epochs=_MANY,
            validation_data=validation,
            validation_steps=checks,
            callbacks=callbacks,
            verbose=0,
        )

    return Epochs(fit, steps, _BATCH)


def today(options: Options, *, best: bool = False) -> Once:
    """``image_dataset_from_directory`` and ``keras.layers.Random*`` in its ``map``, as keras.io's guides have it."""
    import keras
    import tensorflow as tf
    from keras import layers

    augment = keras.Sequential(
        [
            layers.RandomFlip("horizontal"),
            layers.RandomRotation(40 / 360, fill_mode="nearest"),
            layers.RandomTranslation(0.2, 0.2, fill_mode="nearest"),
            layers.RandomShear(0.2 / 360, 0.0, fill_mode="nearest"),
            layers.RandomZoom(0.2, 0.2, fill_mode="nearest"),
        ]
    )
    train, validation = (
        keras.utils.image_dataset_from_directory(folder, image_size=_SIZE, batch_size=_BATCH, label_mode="binary")
        for folder in parts(options)
    )
    if best:  # what an expert adds: two lines
        keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
        train, validation = train.cache(), validation.cache()
    ready = (
        train.map(lambda x, y: (augment(x, training=True), y), num_parallel_calls=tf.data.AUTOTUNE)
        .repeat()
        .prefetch(tf.data.AUTOTUNE)
    )
    model, (steps, checks) = _model(layers.Rescaling(1 / 255)), _steps(options)
    checked = validation.take(checks).prefetch(tf.data.AUTOTUNE)

    def fit(callbacks: list[Any]) -> Any:
        return model.fit(
            ready, steps_per_epoch=steps, epochs=_MANY, validation_data=checked, callbacks=callbacks, verbose=0
        )

    return Epochs(fit, steps, _BATCH)


def plain_torch(options: Options) -> Once:
    """PyTorch in bfloat16, channels last, with torchvision's ``ImageFolder`` and transforms in two workers."""
    import torch
    from torch.utils.data import DataLoader, RandomSampler
    from torchvision import datasets, transforms

    from .in_torch import network, training_step

    moved = transforms.Compose(
        [
            transforms.Resize(_SIZE),
            transforms.RandomAffine(40, (0.2, 0.2), (0.8, 1.2), 0.2, transforms.InterpolationMode.BILINEAR),
            transforms.RandomHorizontalFlip(),
            transforms.PILToTensor(),
        ]
    )
    still = transforms.Compose([transforms.Resize(_SIZE), transforms.PILToTensor()])
    folder, checked = parts(options)
    steps, checks = _steps(options)
    pictures = datasets.ImageFolder(folder, moved)
    sampler = RandomSampler(pictures, replacement=True, num_samples=steps * _BATCH)
    train = DataLoader(pictures, _BATCH, sampler=sampler, num_workers=2, persistent_workers=True)
    validation = DataLoader(datasets.ImageFolder(checked, still), _BATCH, num_workers=2, persistent_workers=True)
    model = network("small_cnn", dropout=0.5)
    step = training_step(model, 1e-4)

    def once() -> Mapping[str, float]:
        model.train()
        for pixels, labels in train:
            loss = step(pixels.contiguous(memory_format=torch.channels_last).float(), labels)
        loss.item()
        model.eval()
        right = 0
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            for number, (pixels, labels) in enumerate(validation):
                if number < checks:
                    logits = model(pixels.contiguous(memory_format=torch.channels_last).float() / 255)[:, 0]
                    right += int(((logits > 0) == labels.bool()).sum())
        return {"pictures": steps * _BATCH}

    once()
    return once


def _cpu(than: str) -> Target:
    def ratio(rounds: Mapping[str, Round]) -> float:
        return BENCHMARK.ratio(rounds, than, of="cpu_seconds")

    return Target(f"processor seconds against {than}", ratio, at_least=2.0)


def _against_bare(rounds: Mapping[str, Round]) -> float:
    ours = rounds[OURS]
    return ours["seconds"] / (ours["bare_training_seconds"] + ours["bare_validation_seconds"])


_PLAIN = Benchmark(
    name="train_epoch",
    title="An augmented epoch of document 003",
    unit="pictures",
    contenders={
        OURS: partial(training, precision="auto"),
        "imgclf, float32": partial(training, precision="float32"),
        _TUTORIAL: tutorial,
        _TODAY: today,
        "today's Keras, cached, bfloat16": partial(today, best=True),
        "PyTorch": plain_torch,
    },
    reference=_TUTORIAL,
    needs={
        _TODAY: ("tensorflow",),
        "today's Keras, cached, bfloat16": ("tensorflow",),
        "PyTorch": ("torch", "torchvision"),
    },
    group="Training",
    show={"pause_seconds": "pause, s", "validation_seconds": "validation, s"},
    about="small_cnn with dropout at 150×150, 100 steps of 32 of the 2,000 photographs, augmented, then validation "
    "on 1,000.  The second and later epochs.  The tutorial's way decodes and augments in NumPy (and asks for the "
    "next batch as Keras 2 did: Keras 3 would end its epochs after 63 steps), today's Keras in tf.data; both train in "
    "float32, as their guides do; an expert adds a cache and bfloat16.  Pauses of "
    "more than a second between two steps, in which Keras lets a pipeline go (see above), are reported and left out.",
)
BENCHMARK = with_target(
    _PLAIN,
    faster(_PLAIN, _TUTORIAL, 2.3),
    faster(_PLAIN, _TODAY, 2.1),
    _cpu(_TUTORIAL),
    _cpu(_TODAY),
    Target("time against our own bare steps, in the same process", _against_bare, at_most=1.08),
)
