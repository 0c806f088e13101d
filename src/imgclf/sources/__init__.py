"""Where labelled pictures come from."""

from .arrays import ArraySource
from .base import UNLABELLED, DatasetSource, Samples
from .csv_pixels import CsvPixelsSource
from .drawn_pets import DrawnPets
from .filename import FilenameSource
from .folder import FolderSource
from .listing import Ignored
from .table import TableSource
from .tfrecord import TFRecordSource
from .tfrecord_writing import write_tfrecords

__all__ = [
    "UNLABELLED",
    "ArraySource",
    "CsvPixelsSource",
    "DatasetSource",
    "DrawnPets",
    "FilenameSource",
    "FolderSource",
    "Ignored",
    "Samples",
    "TFRecordSource",
    "TableSource",
    "write_tfrecords",
]
