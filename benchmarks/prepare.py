"""The three ways to prepare pictures that document 001 speaks of, and ours: a pass over 2,000 photographs."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from . import machine
from .harness import OURS, Benchmark, Options
from .pictures import folders, side

Once = Callable[[], Mapping[str, float]]
_BATCH = 20


def ours(options: Options) -> Once:
    """A later epoch: batches from the pictures that ``Dataset.load`` has decoded before."""
    from imgclf import Dataset, FolderSource
    from imgclf.batches import Batches

    before = _now()
    data = Dataset.load(FolderSource(_train(options)), image_size=_size(options), progress=False)
    epochs = itertools.count()

    def once() -> Mapping[str, float]:
        batches = Batches(data, batch_size=_BATCH, seed=next(epochs))
        return _passed((_scaled(batches[step]) for step in range(len(batches))), before)

    once()
    return once


def ours_first(options: Options) -> Once:
    """The first epoch: ``Dataset.load`` into an empty cache, then the batches."""
    from imgclf import FolderSource

    return _first(lambda: FolderSource(_train(options)), options)


def ours_records(options: Options) -> Once:
    """The first epoch from a TFRecord file, which ``write_tfrecords`` has written."""
    from imgclf import FolderSource, TFRecordSource, write_tfrecords

    (path,) = write_tfrecords(FolderSource(_train(options)), options.work / "records")
    return _first(lambda: TFRecordSource(path), options)


def _first(source: Callable[[], Any], options: Options) -> Once:
    from imgclf import Dataset
    from imgclf.batches import Batches

    before, turn = _now(), itertools.count()

    def once() -> Mapping[str, float]:
        os.environ["IMGCLF_CACHE"] = str(options.work / f"cache{next(turn)}")

        def epoch() -> Iterator[Any]:
            batches = Batches(Dataset.load(source(), image_size=_size(options), progress=False), batch_size=_BATCH)
            yield from (_scaled(batches[step]) for step in range(len(batches)))

        return _passed(epoch(), before)

    once()
    return once


def by_hand_first(options: Options) -> Once:
    """The first epoch by hand: open, convert and resize one file after the other into an array, then its batches."""
    decoded, before = _by_hand(options), _now()
    return lambda: _passed(_slices(decoded), before)


def by_hand(options: Options) -> Once:
    """A later epoch by hand: batches of the array, in a new order."""
    decoded, before = _by_hand(options), _now()
    arrays = decoded()
    return lambda: _passed(_slices(lambda: arrays), before)


def _by_hand(options: Options) -> Callable[[], tuple[Any, Any]]:
    """Gives the array of all pictures, float32 in 0..1, and their labels, as tutorials write it."""
    import numpy as np
    from PIL import Image

    size = _size(options)
    kinds = sorted(kind for kind in _train(options).iterdir() if kind.is_dir())

    def decoded() -> tuple[Any, Any]:
        files = [(path, label) for label, kind in enumerate(kinds) for path in sorted(kind.glob("*.jpg"))]
        images = np.empty((len(files), *size, 3), np.float32)
        for row, (path, _) in zip(images, files, strict=True):
            with Image.open(path) as picture:
                row[:] = np.asarray(picture.convert("RGB").resize(size, Image.Resampling.BILINEAR)) / np.float32(255)
        return images, np.array([label for _, label in files])

    return decoded


def _slices(arrays: Callable[[], tuple[Any, Any]]) -> Iterator[Any]:
    """Batches of the arrays in a random order."""
    import numpy as np

    images, labels = arrays()
    order = np.random.default_rng().permutation(len(images))
    for start in range(0, len(order), _BATCH):
        chosen = order[start : start + _BATCH]
        yield images[chosen], labels[chosen]


def generator(options: Options) -> Once:
    """``ImageDataGenerator.flow_from_directory`` as document 001 sets it."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    before = _now()
    flow = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
        _train(options), target_size=_size(options), batch_size=_BATCH, class_mode="binary"
    )

    def once() -> Mapping[str, float]:
        return _passed((next(flow) for _ in range(len(flow))), before)

    once()
    return once


def tf_records(options: Options) -> Once:
    """A TFRecord file through ``tf.data``: shuffled, decoded and resized in parallel, prepared ahead."""
    import tensorflow as tf

    before = _now()
    path = _written(options)
    features = {"image": tf.io.FixedLenFeature([], tf.string), "label": tf.io.FixedLenFeature([], tf.int64)}

    def parsed(record: Any) -> tuple[Any, Any]:
        found = tf.io.parse_single_example(record, features)
        picture = tf.io.decode_jpeg(found["image"], channels=3)
        return tf.image.resize(picture, _size(options)) / 255.0, found["label"]

    batches = (
        tf.data.TFRecordDataset(str(path))
        .shuffle(2000)
        .map(parsed, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(_BATCH)
        .prefetch(tf.data.AUTOTUNE)
    )

    def once() -> Mapping[str, float]:
        return _passed(batches, before)

    once()
    return once


def _written(options: Options) -> Path:
    """All files with their labels in one TFRecord file, by TensorFlow's own writer."""
    import tensorflow as tf

    path = options.work / "train.tfrecord"
    kinds = sorted(kind for kind in _train(options).iterdir() if kind.is_dir())
    with tf.io.TFRecordWriter(str(path)) as writer:
        for label, kind in enumerate(kinds):
            for file in sorted(kind.glob("*.jpg")):
                image = tf.train.Feature(bytes_list=tf.train.BytesList(value=[file.read_bytes()]))
                number = tf.train.Feature(int64_list=tf.train.Int64List(value=[label]))
                example = tf.train.Example(features=tf.train.Features(feature={"image": image, "label": number}))
                writer.write(example.SerializeToString())
    return path


def _passed(batches: Iterable[Any], before: float) -> dict[str, float]:
    """Go through all *batches*: pictures, seconds to the first of them, the peak of memory beyond *before*."""
    start, first, pictures = time.perf_counter(), 0.0, 0
    for images, _ in batches:
        first = first or time.perf_counter() - start
        pictures += len(images)
    return {"pictures": pictures, "first_batch": first, "beyond_mb": max(machine.memory_mb()["peak"] - before, 0.0)}


def _scaled(batch: Any) -> tuple[Any, Any]:
    """What the others hand over, too: float32 in 0..1.  Our networks take the uint8 and scale it themselves."""
    import numpy as np

    return batch[0] / np.float32(255), batch[1]


def _train(options: Options) -> Path:
    return folders(options)[0]


def _size(options: Options) -> tuple[int, int]:
    return side(options), side(options)


def _now() -> float:
    return machine.memory_mb()["now"]


_OURS, _GENERATOR, _TF = f"{OURS}, later epochs", "ImageDataGenerator, every epoch", "TFRecord and tf.data, every epoch"
BENCHMARK = Benchmark(
    name="prepare",
    title="A pass over 2,000 photographs, prepared in three ways and in ours",
    unit="pictures",
    contenders={
        _OURS: ours,
        f"{OURS}, first epoch": ours_first,
        f"{OURS} from TFRecord, first epoch": ours_records,
        "by hand, later epochs": by_hand,
        "by hand, first epoch": by_hand_first,
        _GENERATOR: generator,
        _TF: tf_records,
    },
    reference=_GENERATOR,
    needs={_TF: ("tensorflow",)},
    group="Loading",
    about="The training pictures of documents 001 and 003, stretched to 150×150, in shuffled batches of 20, without "
    "augmentation and without a network. All hand over float32 from 0 to 1 (ours are divided for it here; its networks "
    "take uint8). A first epoch decodes every file: ours in threads into an empty cache, by hand in a loop into an "
    "array; later epochs take the pixels from there. The generator and tf.data decode anew in every epoch. Not all do "
    "the same: as they shrink, ours and the loop average over all pixels, tf.data takes four of them and the "
    "generator, as it comes, one. Memory is the peak beyond what the imports take, mapped pages of the cache included. "
    "Files and cache lie in the system's memory.",
    show={"first_batch": "seconds to the first batch", "beyond_mb": "memory, MB"},
)
