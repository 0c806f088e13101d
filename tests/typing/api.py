"""Read by mypy alone: the lines that users write, with the types that they get."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from imgclf import (
    Classifier,
    Dataset,
    DatasetSource,
    Evaluation,
    Explainer,
    FolderSource,
    Predictions,
    Samples,
    TableSource,
    TFRecordSource,
    Trainer,
    TrainingRun,
    health,
    label_errors,
    out_of_fold,
    write_comparison,
    write_report,
    write_tfrecords,
)

data: Dataset = Dataset.load(FolderSource("pets"), image_size=(150, 150))
train, validation = data.split(validation=0.2, seed=42)
three: tuple[Dataset, Dataset, Dataset] = data.split(validation=0.2, test=0.1)
folds: list[tuple[Dataset, Dataset]] = list(data.folds(5))
exit_code: int = health.check(train=FolderSource("pets")).exit_code
suspects = label_errors.find(out_of_fold(Trainer("small_cnn"), data))
run: TrainingRun = Trainer("small_cnn", augmentation="book", epochs=30).fit(train, validation, run_dir="runs/pets")
evaluation: Evaluation = run.classifier.evaluate(validation)
share: float = evaluation.accuracy
said: Predictions = Classifier.load("pets.keras").predict(["garfield.jpg"])
names: list[str] = said.names
report = health.check(train=FolderSource("pets"))
page: Path = write_report("pets.html", run, validation=validation, train=train, test=three[2], health=report)
again: TrainingRun = TrainingRun.load("runs/pets")
side_by_side: Path = write_comparison("both.html", run, again.classifier, data=three[2], names=("new", "old"))
figure: Figure = Explainer(run.classifier).grad_cam("garfield.jpg").plot()


class Bricks:
    """A source of one's own inherits nothing."""

    class_names = ("dark", "bright")

    def samples(self) -> Samples:
        """Ten keys and their labels."""
        return Samples(keys=np.arange(10).astype(str), labels=np.arange(10, dtype=np.int32) % 2)

    def read(self, key: str) -> npt.NDArray[np.uint8]:
        """A flat picture."""
        return np.full((32, 32, 1), 40 + 150 * (int(key) % 2), np.uint8)


by_table: DatasetSource = TableSource({"filename": ["1.jpg", "2.jpg"], "class": ["cat", "dog"]}, "images", x_col=0)
from_zip: DatasetSource = TableSource("dog-breed.zip/labels.csv", "dog-breed.zip/train", x_col="id", y_col="breed")
from_records: DatasetSource = TFRecordSource(write_tfrecords(data, "records", name="train", shards=8))
write_tfrecords(Bricks(), "records", name="bricks")
source: DatasetSource = Bricks()
Dataset.load(source, image_size=(32, 32))
