"""Pictures → TFRecord files that TensorFlow, TensorFlow Datasets and :class:`TFRecordSource` read.

In: a source or a ``Dataset``.  Out: ``train-00000-of-00008.tfrecord`` …, and ``train.classes.json`` beside them.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import DatasetError, FileError, ImgclfError, OptionError, about, listed, with_reasons
from ..files import replacing, write_json
from ..images import ImageFacts, Pixels, checked_pixels, inspect_image
from ..tables import visible
from .base import UNLABELLED, DatasetSource, Samples
from .class_names import given_names, labels_in_range
from .example import dump_example
from .paths import as_path
from .picture_files import FileSource
from .record_file import write_record
from .record_sets import SHARD
from .tfrecord import TFRecordSource

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)
_MOST_SHARDS = 99_999


@runtime_checkable
class Decoded(Protocol):
    """What a ``Dataset`` has; it stands below in the order of the modules."""

    @property
    def keys(self) -> npt.NDArray[np.str_]:
        """The names of the pictures ``(n,)``."""
        ...

    @property
    def labels(self) -> npt.NDArray[np.int32]:
        """Their labels ``(n,)``."""
        ...

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes."""
        ...

    def pictures(self, positions: npt.ArrayLike) -> Pixels:
        """The pictures at *positions*: uint8 ``(m, height, width, channels)``."""
        ...


class _Given(NamedTuple):
    """What is written; ``encoded`` gives the picture at a position."""

    keys: list[str]
    labels: list[int]
    class_names: tuple[str, ...]
    encoded: Callable[[int], bytes]


def write_tfrecords(
    source: DatasetSource | Decoded, folder: str | os.PathLike[str], *, name: str = "data", shards: int = 1
) -> list[Path]:
    """Write all pictures and labels to *shards* files ``NAME-00000-of-00008.tfrecord``; returns their paths.

    Each record is a ``tf.train.Example`` with the features that TensorFlow's own tools write: ``image/encoded``,
    ``image/format``, ``image/height``, ``image/width``, ``image/channels``, ``image/filename`` (the key),
    ``image/class/label`` (−1: unlabelled) and ``image/class/text``.  The bytes of a file are stored as they are; what
    has no file (a row of a table, an array, a picture of a ``Dataset``) as PNG, without loss.  The class names stand in
    ``NAME.classes.json`` as well.  The same pictures give the same bytes.

    Height, width and channels are those that TensorFlow decodes to when it is asked for no number of channels: it takes
    no notice of EXIF's orientation, so a photograph that lies on its side does so there, and it keeps transparency as a
    second or fourth channel.  imgclf turns the one upright and lays the other over white.

    The files get their names when all of them are written; before, nothing that is in *folder* changes.

    >>> import tempfile
    >>> from imgclf import DrawnPets
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     print([path.name for path in write_tfrecords(DrawnPets(4), folder, name="pets", shards=2)])
    ['pets-00000-of-00002.tfrecord', 'pets-00001-of-00002.tfrecord']

    Args:
        source: Any source, or a ``Dataset``.
        folder: Where to; it is made where missing.
        name: What the files' names begin with: ``"train"``.
        shards: How many files.  The pictures keep their order, from file to file.

    Raises:
        DatasetError: no pictures; labels that stand for no class; pictures that cannot be read, all of them at once.
        FileError: no room; or files of the same name and another number of shards, which would be mixed up.
        OptionError: a name or number that cannot be.
    """
    given = _opened(source)
    root = as_path(folder, "folder")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise OptionError(f"name is {name!r}; expected letters, digits, '_', '-' and '.', such as 'train'.")
    count = len(given.keys)
    most = min(_MOST_SHARDS, count)
    if not isinstance(shards, (int, np.integer)) or isinstance(shards, bool) or not 1 <= shards <= most:
        raise OptionError(
            f"shards is {shards!r}; expected a whole number from 1 to {most:,}: no file without pictures."
        )
    shards = int(shards)
    paths = [root / f"{name}-{shard:05d}-of-{shards:05d}.tfrecord" for shard in range(shards)]
    _check_others(root, name, paths)
    with ExitStack() as stack:
        write_json(
            stack.enter_context(replacing(root / f"{name}.classes.json")), {"class_names": list(given.class_names)}
        )
        faults: list[str] = []
        for shard, path in enumerate(paths):
            part = range(shard * count // shards, (shard + 1) * count // shards)
            with stack.enter_context(replacing(path)).open("wb") as file:
                for payload in _payloads(given, part, faults):
                    write_record(file, payload)
        if faults:
            raise DatasetError(with_reasons(f"{len(faults):,} of {count:,} pictures cannot be read:", faults))
    return paths


def _payloads(given: _Given, part: range, faults: list[str]) -> Iterator[bytes]:
    for at in part:
        key = given.keys[at]
        try:
            content = given.encoded(at)
            facts = inspect_image(content)
        except ImgclfError as error:
            faults.append(about(key, str(error).replace("this picture", repr(key), 1)))
        except Exception as error:  # a user's own source may raise anything; its key must be named
            faults.append(about(key, f"{type(error).__name__}: {visible(str(error))}"))
        else:
            if not faults:  # else nothing is kept anyhow
                yield dump_example(_features(key, given.labels[at], given.class_names, content, facts))


def _features(
    key: str, label: int, names: tuple[str, ...], content: bytes, facts: ImageFacts
) -> dict[str, list[bytes] | list[int]]:
    kind = "jpeg" if facts.format == "MPO" else facts.format.lower()
    height, width = facts.size[::-1] if facts.orientation > 4 else facts.size
    return {
        "image/encoded": [content],
        "image/format": [kind.encode()],
        "image/height": [height],
        "image/width": [width],
        "image/channels": [_channels(kind, facts.mode, content)],
        "image/filename": [key.encode()],
        "image/class/label": [label],
        "image/class/text": [b"" if label == UNLABELLED else names[label].encode()],
    }


def _channels(kind: str, mode: str, content: bytes) -> int:
    """How many channels TensorFlow decodes a picture to."""
    if mode == "P" and kind == "png":
        return 4 if b"tRNS" in content[: content.find(b"IDAT")] else 3  # before the pixels, if at all
    return 3 if kind == "gif" or mode in {"P", "CMYK"} else Image.getmodebands(mode)


def _opened(source: Any) -> _Given:
    if isinstance(source, DatasetSource) and not isinstance(source, type):
        samples: object = source.samples()
        if not isinstance(samples, Samples):
            raise OptionError(
                f"samples() gave a {type(samples).__name__}; expected Samples(keys=…, labels=…). Return that."
            )
        keys, labels = samples.keys.tolist(), samples.labels
    elif isinstance(source, Decoded) and not isinstance(source, type):
        keys, labels = source.keys.tolist(), source.labels
    else:
        what = f"the class {source.__name__}" if isinstance(source, type) else f"a {type(source).__name__}"
        raise OptionError(f"{what} is no source and no Dataset. Give one.")
    if not keys:
        raise DatasetError(f"{source!r} holds no pictures. Check its path.")
    names = given_names(source.class_names, least=0) or ()
    numbers = labels_in_range(labels, names, repr(source)).tolist()
    return _Given(keys, numbers, names, lambda at: _encoded(source, keys[at], at))


def _encoded(source: Any, key: str, at: int) -> bytes:
    """The bytes of a picture's file; where it has none, a PNG."""
    if isinstance(source, FileSource):
        return source.files.content(key)
    if isinstance(source, TFRecordSource):
        return source.encoded(key)
    pixels = checked_pixels(source.read(key) if isinstance(source, DatasetSource) else source.pictures([at])[0])
    content = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(content, "PNG", compress_level=1)
    return content.getvalue()


def _check_others(folder: Path, name: str, paths: list[Path]) -> None:
    """Refuse to put a set beside the files of another with its name."""
    ours = {path.name for path in paths}
    there = folder.iterdir() if folder.is_dir() else ()
    parts = [path.name for path in there if (match := SHARD.fullmatch(path.name)) and match["set"] == name]
    if others := sorted(set(parts) - ours):
        raise FileError(
            f"{str(folder)!r} holds {listed(others)} already, of another number of shards: they would be mixed up with "
            f"the new ones. Remove them, or choose another name than {name!r}."
        )
