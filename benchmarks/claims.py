"""What each document claimed, and where the same figure is found in a run: the left half of the page's tables.

In: nothing.  Out: records.  The figures are the documents' own, as they print them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Run = Mapping[str, Any]


@dataclass(frozen=True)
class Claim:
    """A figure of a document.

    Attributes:
        text: What it is.
        claimed: As the document has it; empty where it gives none.
        of: The same from a run of ``docs/results``.
        pictures: The part of the data whose pictures an accuracy was taken on, for its interval; None: no accuracy.
        form: How it is written.
    """

    text: str
    claimed: str
    of: Callable[[Run], float | None]
    pictures: str | None = None
    form: str = ".4f"


@dataclass(frozen=True)
class Document:
    """A document: its heading, what it does, its trainings with their claims, and why ours differ.

    Attributes:
        number: As the recipes count them.
        name: That of its example and its results.
        title: A heading.
        about: What it trains on what.
        claims: Recipe → its claims.
        differences: Sentences on what is not the same here, and on what to make of the figures.
    """

    number: str
    name: str
    title: str
    about: str
    claims: Mapping[str, tuple[Claim, ...]]
    differences: tuple[str, ...]


def last(figure: str) -> Callable[[Run], float]:
    """The figure of the last epoch."""
    return lambda run: run["history"][figure][-1]


def highest(figure: str) -> Callable[[Run], float]:
    """The highest of all epochs."""
    return lambda run: max(run["history"][figure])


def lowest(figure: str) -> Callable[[Run], float]:
    """The lowest of all epochs."""
    return lambda run: min(run["history"][figure])


def epoch_of_lowest(figure: str) -> Callable[[Run], float]:
    """The epoch, from 1, in which it was lowest."""
    return lambda run: 1 + run["history"][figure].index(min(run["history"][figure]))


def tested(figure: str) -> Callable[[Run], float | None]:
    """A figure of the best epoch's classifier on the test set."""
    return lambda run: run["test"][figure] if run["test"] else None


_TEST = (
    Claim("test accuracy of the best epoch", "", tested("accuracy"), "test"),
    Claim("test loss of the best epoch", "", tested("loss")),
)
_BEST = Claim("best validation accuracy", "", highest("val_accuracy"), "validation")
_SEEN = (
    (
        "An accuracy on 1,000 pictures is uncertain by two to three points, and the best of many epochs is too "
        "good by one or two more: the test set, which chose nothing, is the figure to trust."
    ),
)


def _vgg16(test: str, loss: str, *rest: str) -> tuple[Claim, ...]:
    figures = (
        ("highest training accuracy", highest("accuracy"), None),
        ("lowest training loss", lowest("loss"), None),
        ("highest validation accuracy", highest("val_accuracy"), "validation"),
        ("lowest validation loss", lowest("val_loss"), None),
    )
    return (
        Claim("test accuracy", test, tested("accuracy"), "test"),
        Claim("test loss", loss, tested("loss")),
        *(Claim(text, said, of, part) for (text, of, part), said in zip(figures, rest, strict=True)),
    )


DOCUMENTS = (
    Document(
        "000",
        "dogs_vs_cats",
        "Dog or cat, labels in file names",
        "`bn_cnn` at 128×128, augmented, early stopping, a learning rate that is halved when it no longer helps.",
        {
            "dogs_vs_cats": (
                Claim("best validation accuracy", "most test pictures right", highest("val_accuracy"), "validation"),
            )
        },
        (
            (
                "The document trains on 25,000 photographs, these runs on the 4,000 of the smaller set, 3,200 "
                "of them to learn from. The example takes Kaggle's 25,000 as they come."
            ),
        ),
    ),
    Document(
        "001",
        "cat_dog_small",
        "Cats and dogs in little folders",
        "`small_cnn` with three convolutions at 150×150, Adam, augmented.",
        {
            "cat_dog_small": (
                Claim("best validation accuracy", "a figure only", highest("val_accuracy"), "validation"),
                *_TEST,
            )
        },
        ("The document says no figure in words, nor how many pictures it has; these are those of document 003.",),
    ),
    Document(
        "002",
        "vgg16_explained",
        "VGG16, feature maps and Grad-CAM",
        (
            "`vgg16_bn`: an accurate model, and a control that learns for one epoch from three cats called dogs "
            "and three dogs called cats."
        ),
        {
            "vgg16_accurate": _vgg16("0.9505", "0.1351", "0.9500", "0.1458", "0.9700", "0.0965"),
            "vgg16_control": _vgg16("0.5035", "0.6931", "0.2500", "0.6933", "0.5000", "0.6932"),
        },
        (
            (
                "The document trains 250 epochs at 224×224 on 17,000 photographs with a GPU. Here it is 64×64, "
                "one hidden layer of 256, 2,000 photographs and fewer epochs: what two cores do in half an "
                "hour. So the accurate model is not as accurate; that it stands far above the control is what "
                "the comparison needs."
            ),
            (
                "The control is one step on six pictures, fewer than a batch; that it makes one pass is our reading. "
                "Its training figures are of these six, normalised by their own mean, before the step: chance. On new "
                "pictures its loss depends on the first weights: with he_normal ones the logit of an untrained network "
                "is not quite 0, so it lies somewhat above 0.693."
            ),
        ),
    ),
    Document(
        "003",
        "small_data",
        "A small set, with and without augmentation",
        "`small_cnn` at 150×150, 2,000 photographs to learn from: first as they are, then augmented with dropout.",
        {
            "small_data_plain": (
                Claim("training accuracy, last epoch", "0.9895", last("accuracy")),
                Claim("validation accuracy, last epoch", "0.7200", last("val_accuracy"), "validation"),
                Claim("best validation accuracy", "0.7470", highest("val_accuracy"), "validation"),
                Claim("validation loss, last epoch", "1.0830", last("val_loss")),
                Claim("lowest validation loss", "0.5369", lowest("val_loss")),
                Claim("epoch of the lowest validation loss", "8", epoch_of_lowest("val_loss"), form=".1f"),
                *_TEST,
            ),
            "small_data_augmented": (
                Claim("best validation accuracy", "0.8318", highest("val_accuracy"), "validation"),
                Claim("validation accuracy, last epoch", "0.7751", last("val_accuracy"), "validation"),
                Claim("lowest validation loss", "0.3834", lowest("val_loss")),
                *_TEST,
            ),
        },
        (
            *_SEEN,
            "The document validates on 50 batches a time, these runs on all 1,000 pictures.",
        ),
    ),
    Document(
        "004",
        "mnist_csv",
        "Digits from a CSV of pixels",
        "`mnist_cnn` on 60,000 rows, split 80/20, augmented, early stopping.",
        {
            "mnist_csv": (
                Claim("test accuracy of the best epoch", "very high", tested("accuracy"), "test"),
                Claim("test loss of the best epoch", "", tested("loss")),
                _BEST,
            )
        },
        (
            (
                "The document augments its test pictures, too, and shows its settings only in a picture. Here "
                "the test pictures stay as they are; the augmentation and the patience of 5 epochs are ours."
            ),
        ),
    ),
)
