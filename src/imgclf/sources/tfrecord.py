"""Pictures in TFRecord files, read without TensorFlow."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, final

import numpy as np
import numpy.typing as npt

from ..errors import DatasetError, FileError, ImageError, OptionError, listed, with_reasons
from ..images import ImageSpec, Pixels, prepare_image, read_image
from .base import UNLABELLED, Samples
from .class_names import given_names, labels_in_range, labels_of, warn_of_unlabelled
from .example import NOTHING, ExampleError, Feature, parse_example
from .record_file import begins_with_a_record, read_record, read_records, records
from .record_sets import LABELS, names_beside, record_files
from .unpacking import is_gzip, unpacked_gzip

AUTO = "auto"
_IMAGES = ("image/encoded", "image", "image_raw")
_TEXT, _FILENAME = "image/class/text", "image/filename"
_KEY = re.compile(r"(?!/)(?!.*(^|/)\.{0,2}(/|$))[^\\\x00-\x1f\x7f-\x9f\u2028\u2029]+")  # no-break spaces are in names
_RUN = 64  # pictures per task of a thread


class _Record(NamedTuple):
    """What is kept of a record."""

    file: int
    at: int
    length: int


class _Told(NamedTuple):
    """What a record says of its picture."""

    label: int | str | None
    text: str
    filename: str


@final
class TFRecordSource:
    """The pictures of TFRecord files, as TensorFlow's and TensorFlow Datasets' tools write them; needs neither.

    A record is a ``tf.train.Example`` with an encoded picture (JPEG, PNG, …) and a label.  All files are read once,
    here, and every checksum is compared; a picture is read again, alone, when it is asked for.  Files that were packed
    by gzip are unpacked once, into the cache folder.

    Keys are the names that the records give (``image/filename``) where every record has one and all differ, else the
    file and the number of the record: ``"train-00000-of-00008.tfrecord:17"``.

    >>> import tempfile
    >>> from imgclf import DrawnPets, write_tfrecords
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_tfrecords(DrawnPets(4), folder, name="pets")
    ...     source = TFRecordSource(folder)
    ...     print(source.class_names, source.samples().keys.tolist())
    ('cat', 'dog') ['cat.0.png', 'cat.1.png', 'dog.0.png', 'dog.1.png']

    Args:
        files: A file; a folder with one set; a pattern such as ``"pets/train-*"``; or a list of files.
        image: The feature that holds the picture.  ``"auto"``: ``image/encoded``, else ``image``, else ``image_raw``.
        label: The feature that holds the class: a whole number or a name.  ``"auto"``: ``image/class/label``, else
            ``label``, else ``image/class/text``, else ``class``.  None: the pictures are unlabelled.  −1 is unlabelled.
        class_names: The names of the classes, in the order of the labels.  None: those that :func:`write_tfrecords` or
            TensorFlow Datasets has put beside the files; else those in ``image/class/text``, in the order of the
            numbers; else the labels found, in natural order.  A *label* that is none of the features above has names
            of TensorFlow Datasets only, or those found.

    Attributes:
        class_names: The names of the classes; empty if unlabelled and not given.
        ignored: Always empty: every record is a picture.

    Raises:
        DatasetError: no files, or some are missing; damaged records, with file and number; no such feature; one number
            under two names; one class only.
        OptionError: something that is no path, or options that cannot be.
    """

    ignored: tuple[()] = ()

    def __init__(
        self,
        files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        image: str = AUTO,
        label: str | None = AUTO,
        class_names: Sequence[str] | None = None,
    ) -> None:
        for option, value in (("image", image), ("label", AUTO if label is None else label)):
            if not isinstance(value, str) or not value:
                raise OptionError(f"{option} is {value!r}; expected the name of a feature, such as 'image/encoded'.")
        given = given_names(class_names, least=0 if label is None else 2)
        self._files = record_files(files)
        self._name = next(iter(self._files)) if len(self._files) == 1 else f"{len(self._files)} files"
        self._shown = [repr(str(path)) for path in self._files.values()]
        self._paths = [_plain(path) for path in self._files.values()]
        self._image, self._label = image, label
        found = _read_all(self._paths, self._shown, self._take)
        self._records = dict(zip(_keys(list(self._files), found), (record for record, _ in found), strict=True))
        self.class_names, self._labels = self._named([told for _, told in found], given)

    def __repr__(self) -> str:
        return f"TFRecordSource({self._name!r}: {len(self._records):,} pictures, {len(self.class_names)} classes)"

    def samples(self) -> Samples:
        """The records' keys and labels, in the order of the files."""
        return Samples(keys=np.array(list(self._records)), labels=self._labels.copy())

    def read(self, key: str) -> Pixels:
        """The picture of *key*: uint8 ``(height, width, 1 or 3)``; see :func:`imgclf.images.read_image`."""
        content = self.encoded(key)
        with _named(key):
            return read_image(content)

    def prepare(self, key: str, spec: ImageSpec) -> Pixels:
        """The picture of *key* as *spec* wants it: uint8 ``spec.shape``; see :func:`imgclf.images.prepare_image`."""
        content = self.encoded(key)
        with _named(key):
            return prepare_image(content, spec)

    def encoded(self, key: str) -> bytes:
        """The picture of *key* as it stands in the record: the bytes of a JPEG, a PNG and so on.

        Raises:
            DatasetError: there is no such picture.
            ImageError: the file has changed, or cannot be read.
        """
        if (record := self._records.get(str(key))) is None:
            raise DatasetError(f"no picture {str(key)!r} in this source. The keys are those of samples().")
        shown = f"{str(key)!r} in {self._shown[record.file]}"
        payload = read_record(self._paths[record.file], record.at, record.length, shown)
        try:
            return self._picture(payload)
        except ExampleError:
            raise ImageError(f"{shown} has changed since it was listed. Make a new source.") from None

    def fingerprint(self) -> str:
        """A digest of keys and encoded pictures, read anew at every call; labels and class names do not enter."""
        entries = list(self._records.items())
        with ThreadPoolExecutor() as pool:
            runs = pool.map(self._digests, (entries[start : start + _RUN] for start in range(0, len(entries), _RUN)))
            return hashlib.blake2b(b"".join(runs), digest_size=16).hexdigest()

    def _digests(self, entries: Sequence[tuple[str, _Record]]) -> bytes:
        total = b""
        for file, group in groupby(entries, key=lambda entry: entry[1].file):
            run = list(group)
            places = ((record.at, record.length) for _, record in run)
            payloads = read_records(self._paths[file], places, self._shown[file])
            for (key, _), payload in zip(run, payloads, strict=True):
                try:
                    content = b"unreadable" if isinstance(payload, ImageError) else self._picture(payload)
                except ExampleError:
                    content = b"unreadable"
                total += hashlib.blake2b(content, key=hashlib.sha256(key.encode()).digest(), digest_size=16).digest()
        return total

    def _wanted(self) -> tuple[str, ...]:
        return (self._image, _TEXT, _FILENAME, *([] if self._label is None else [self._label]))

    def _picture(self, payload: bytes) -> bytes:
        return _only(parse_example(payload, (self._image,)).get(self._image, NOTHING))

    def _take(self, payload: bytes) -> _Told:
        """What a record says of its picture; the first tells which features hold picture and label."""
        features = parse_example(payload, None if AUTO in (self._image, self._label) else self._wanted())
        if self._image == AUTO:
            self._image = _chosen(features, _IMAGES, "image")
        if self._label == AUTO:
            self._label = _chosen(features, LABELS, "label", " or label=None for pictures without labels,")
        if features.get(self._image, NOTHING).kind != "bytes":
            raise ExampleError(f"it has no {self._image!r} of bytes, but {_described(parse_example(payload))}")
        _only(features[self._image])
        label = None if self._label is None else _label(features.get(self._label, NOTHING), self._label)
        text = _text(features.get(_TEXT, NOTHING)) if self._label in LABELS else ""  # names nothing else
        return _Told(label, text, _text(features.get(_FILENAME, NOTHING)))

    def _named(
        self, told: Sequence[_Told], given: tuple[str, ...] | None
    ) -> tuple[tuple[str, ...], npt.NDArray[np.int32]]:
        """Class names, and the label of every record."""
        if self._label is None:
            return given or (), np.full(len(told), UNLABELLED, np.int32)
        where = f"feature {self._label!r} of {self._name!r}"
        beside = names_beside(list(self._files.values()), self._label) if given is None else None
        names, labels = _names_and_labels(told, given or beside, where)
        warn_of_unlabelled(int((labels == UNLABELLED).sum()), len(labels), where)
        return names, labels


@contextmanager
def _named(key: str) -> Iterator[None]:
    """Errors that leave the block call the picture by its key."""
    try:
        yield
    except ImageError as error:
        raise ImageError(str(error).replace("this picture", repr(str(key)), 1)) from None


def _names_and_labels(
    told: Sequence[_Told], names: tuple[str, ...] | None, where: str
) -> tuple[tuple[str, ...], npt.NDArray[np.int32]]:
    labels = [None if each.label == UNLABELLED else each.label for each in told]
    if any(isinstance(label, str) for label in labels):
        return labels_of([None if label is None else str(label) for label in labels], names, where)
    numbers = [UNLABELLED if label is None else int(label) for label in labels]
    if names is not None:
        return names, labels_in_range(np.array(numbers, np.int64), names, where)
    texts = {number: each.text for number, each in zip(numbers, told, strict=True) if number != UNLABELLED}
    if not texts or not all(texts.values()):
        return labels_of([None if label is None else str(label) for label in labels], None, where)
    _check_texts(texts, numbers, told, where)
    classes = [texts.get(number) for number in numbers]
    labels_of(classes, None, where)  # refuses one class only, two spellings of one, ids
    return labels_of(classes, tuple(texts[number] for number in sorted(texts)), where)


def _plain(path: Path) -> Path:
    """*path*, or what it was before gzip; whatever else it is, reading it will say."""
    try:
        return path if begins_with_a_record(path) or not is_gzip(path) else unpacked_gzip(path)
    except OSError as error:
        if isinstance(error, FileError):
            raise
        return path


def _read_all(
    files: Sequence[Path], shown: Sequence[str], take: Callable[[bytes], _Told]
) -> list[tuple[_Record, _Told]]:
    """Every record of *files*.

    Raises:
        DatasetError: damaged files, all of them at once; no record at all.
    """
    found: list[tuple[_Record, _Told]] = []
    faults = []
    for place, path in enumerate(files):
        number = 0
        try:
            for at, payload in records(path, shown[place]):
                found.append((_Record(place, at, len(payload)), take(payload)))
                number += 1
        except DatasetError as error:
            faults.append(str(error))
        except ExampleError as error:
            faults.append(f"record {number:,} of {shown[place]} is not read: {error}.")
        except OSError as error:
            faults.append(f"{shown[place]} cannot be read: {error.strerror}. Check the path.")
    if len(faults) == 1:
        raise DatasetError(faults[0])
    if faults:
        raise DatasetError(with_reasons(f"{len(faults):,} of {len(files):,} record files cannot be read:", faults))
    if not found:
        raise DatasetError(f"{listed(str(path) for path in files)} holds no records. Check the path.")
    return found


def _keys(names: Sequence[str], found: Sequence[tuple[_Record, _Told]]) -> list[str]:
    """The names that the records give, if they will do; else file and number."""
    given = [told.filename for _, told in found]
    if len(set(given)) == len(given) and all(map(_KEY.fullmatch, given)):
        return given
    first: dict[int, int] = {}
    places = [(record.file, at - first.setdefault(record.file, at)) for at, (record, _) in enumerate(found)]
    return [f"{names[file]}:{number}" for file, number in places]


def _check_texts(texts: dict[int, str], numbers: Sequence[int], told: Sequence[_Told], where: str) -> None:
    """Refuse a number under two names, and a name under two numbers."""
    pairs = {(number, each.text) for number, each in zip(numbers, told, strict=True) if number != UNLABELLED}
    if len(pairs) > len(texts) or len({text for _, text in pairs}) < len(pairs):
        counts = Counter(each for pair in pairs for each in pair)  # numbers and texts are never equal
        odd = sorted(pair for pair in pairs if max(counts[pair[0]], counts[pair[1]]) > 1)
        raise DatasetError(
            f"{where} and {_TEXT!r} do not fit together: {listed(odd)}. Give class_names, in the order of the numbers."
        )


def _chosen(features: dict[str, Feature], known: Sequence[str], option: str, besides: str = "") -> str:
    for name in known:
        if name in features:
            return name
    raise ExampleError(
        f"which feature is the {option}? It has {_described(features)}. Say {option}=…,{besides} by its name"
    )


def _described(features: dict[str, Feature]) -> str:
    return ", ".join(f"{name!r} ({features[name].kind})" for name in sorted(features)[:20]) or "no features"


def _only(feature: Feature) -> bytes:
    values = feature.texts(2)
    if len(values) != 1:
        raise ExampleError(f"it holds {'several pictures' if values else 'no picture'}, and one is expected")
    return values[0]


def _label(feature: Feature, name: str) -> int | str | None:
    numbers, texts = feature.integers(2), feature.texts(2)  # there may be millions
    if feature.kind == "floats" or len(numbers) + len(texts) > 1:
        what = "floats" if feature.kind == "floats" else "several labels"
        raise ExampleError(f"its {name!r} holds {what}, and one whole number or name is expected")
    try:
        return numbers[0] if numbers else "".join(text.decode() for text in texts).strip() or None
    except UnicodeDecodeError:
        raise ExampleError(f"its {name!r} is {texts[0][:40]!r}, which is no text") from None


def _text(feature: Feature) -> str:
    values = feature.texts(2)
    return values[0].decode(errors="replace").strip() if len(values) == 1 else ""
