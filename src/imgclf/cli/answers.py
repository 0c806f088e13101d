"""Commands that ask a trained classifier: evaluate, predict, explain, compare."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from ..errors import ImageError, OptionError, listed, unknown_name
from ..recognition import recognise
from ..sources.listing import list_pictures
from .terminal import (
    ERROR,
    NOT_ALL,
    Format,
    FormatOption,
    ModelArgument,
    app,
    complain,
    model_file,
    open_model,
    printed,
    quiet_import,
    say,
    show,
    show_json,
)

if TYPE_CHECKING:
    from ..classifier import Classifier
    from ..dataset import Dataset
    from ..evaluation import Predictions
    from ..jobs import Parts
    from ..runs import TrainingRun
    from ..tables import Table

Trust = Annotated[bool, typer.Option(help="You know where the file is from: Keras may rebuild a foreign network.")]
_Files = Annotated[
    list[Path], typer.Argument(help="Pictures, or folders of pictures.", show_default=False, metavar="PICTURE...")
]
_Data = Annotated[
    Path | None,
    typer.Argument(help="Labelled pictures, as for train; default: those of the run.", show_default=False),
]
_Part = Annotated[
    str | None, typer.Option(help="train, validation or test; default: test, if there is one.", show_default=False)
]
Answer = TypeVar("Answer")
_WIDEST = 8  # classes whose probabilities fit beside each other on a terminal


@app.command()
def evaluate(
    model: ModelArgument,
    data: _Data = None,
    part: _Part = None,
    save: Annotated[
        Path | None, typer.Option(help="Write a row per picture there, as CSV.", show_default=False)
    ] = None,
    format: FormatOption = None,  # noqa: A002 - the word for it
    trust: Trust = False,
) -> None:
    """Hold the answers against the truth: accuracy with interval, figures per class, confusion."""
    classifier = open_model(model, trust=trust)
    name, judged = _judged(model, classifier, data, part)
    said = classifier.evaluate(judged)
    if save is not None:
        said.to_csv(save)
    if printed(format) is Format.table:
        print(f"{name}: {said}")
    elif format is Format.json:
        show_json({"part": name, **said.to_dict()})
    else:
        show(said.per_class(), format)
    if judged.skipped:
        raise typer.Exit(NOT_ALL)


@app.command()
def predict(
    model: ModelArgument,
    files: _Files,
    top: Annotated[int, typer.Option(help="With many classes: show the likeliest so many.", min=1)] = 3,
    format: FormatOption = None,  # noqa: A002
    trust: Trust = False,
) -> None:
    """Name what is on pictures, with the probability of every class."""
    classifier = open_model(model, trust=trust)
    said, faults = _of_readable(classifier, _pictures(files), classifier.predict)
    if said is not None:
        narrow = printed(format) is Format.table and len(said.class_names) > _WIDEST
        show(_likeliest(said, top) if narrow else said.table(), format)
    _tell(faults, answered=said is not None)


@app.command()
def explain(
    model: ModelArgument,
    files: _Files,
    out: Annotated[Path, typer.Option("--out", "-o", help="The figure: .png or .svg.")] = Path("explanation.png"),
    class_name: Annotated[
        str | None, typer.Option("--class", help="The class to explain; default: each picture's likeliest.")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="hires_cam, grad_cam, layer_cam, grad_cam_plus_plus; or of pixels: integrated_gradients, occlusion, "
            "gradient. Default: hires_cam where the network flattens its maps, else grad_cam."
        ),
    ] = None,
    layers: Annotated[str | None, typer.Option(help="Names or a pattern, such as 'conv*'; default: the last.")] = None,
    trust: Trust = False,
) -> None:
    """Show where on the pictures the network sees its reasons."""
    if out.suffix.lower() not in (".png", ".svg"):
        raise OptionError(f"--out is '{out}'; expected a name in .png or .svg. Name it so.")
    classifier = open_model(model, trust=trust)
    with quiet_import():
        from ..explainer import Explainer
        from ..explainer.cam import METHODS, suggested_method
        from ..explainer.pixels import PIXEL_METHODS
    if method is not None and method not in (*METHODS, *PIXEL_METHODS):
        raise unknown_name("method", method, (*METHODS, *PIXEL_METHODS))
    explainer, how = Explainer(classifier), method or suggested_method(classifier.model)

    def asked(pictures: list[Path]) -> Any:
        if how in PIXEL_METHODS:
            return explainer.attribute(pictures, class_name, how)  # type: ignore[arg-type] # it was checked above
        return explainer.grad_cam(pictures, class_name, layers, how)  # type: ignore[arg-type]

    explained, faults = _of_readable(classifier, _pictures(files), asked)
    if explained is not None:
        print(explained)
        print(f"written to {explained.save(out)}")
    _tell(faults, answered=explained is not None)


@app.command()
def compare(
    first: ModelArgument,
    second: ModelArgument,
    data: _Data = None,
    part: _Part = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The page of both, side by side.")] = Path("compare.html"),
    trust: Trust = False,
) -> None:
    """Hold two classifiers against each other on the same pictures, and say whether the difference is chance."""
    one, two = _run_of(first, trust=trust), _run_of(second, trust=trust)
    with quiet_import():
        from ..report import paired, write_comparison
    left, right = _classifier(one), _classifier(two)
    if left.spec != right.spec:
        sizes = ["×".join(map(str, found.spec.shape)) for found in (left, right)]
        raise OptionError(
            f"'{first}' takes pictures of {sizes[0]} and '{second}' of {sizes[1]}, or fitted otherwise; expected the "
            "same. Train one of them with the other's --image-size, or evaluate both: imgclf evaluate MODEL DATA."
        )
    name, judged = _judged(first, left, data, part)
    if data is None and (second if second.is_dir() else second.parent).joinpath("config.json").exists():
        judged = _unseen(judged, _parts_of_run(second, right), second)
    written = write_comparison(out, one, two, data=judged, names=(str(first), str(second)))
    said = [classifier.evaluate(judged) for classifier in (left, right)]
    for path, answers in zip((first, second), said, strict=True):
        low, high = answers.accuracy_interval
        print(f"{path}: accuracy {answers.accuracy:.4f} ({low:.4f} to {high:.4f}) on {len(judged):,} {name} pictures")
    pair = paired(*said)
    chance = "may well be chance" if pair.p_value > 0.05 else "is hardly chance"
    print(
        f"one alone is right: {len(pair.first_alone):,} and {len(pair.second_alone):,} pictures; the difference "
        f"{chance} (McNemar's exact test: p = {pair.p_value:.3g})"
    )
    print(f"written to {written}")


def _unseen(judged: Dataset, parts: Parts, run: Path) -> Dataset:
    """*judged* without the pictures that another *run* was trained on or chosen by."""
    from ..report.subject import shared

    new = ~(shared(parts.train, judged) | shared(parts.validation, judged))
    if new.all():
        return judged
    if not new.any():
        raise OptionError(f"'{run}' has seen all of these pictures. Give labelled pictures that both have not seen.")
    say(f"{(~new).sum():,} of {len(judged):,} pictures are left out: '{run}' was trained on or chosen by them")
    return judged.take(new)


def _run_of(path: Path, *, trust: bool) -> TrainingRun | Classifier:
    """The run of a folder, the classifier of a file."""
    model_file(path)
    with quiet_import():
        from ..runs import TrainingRun

    return TrainingRun.load(path, trust=trust) if path.is_dir() else open_model(path, trust=trust)


def _classifier(found: TrainingRun | Classifier) -> Classifier:
    from ..classifier import Classifier

    return found if isinstance(found, Classifier) else found.classifier


def _judged(model: Path, classifier: Classifier, data: Path | None, part: str | None) -> tuple[str, Dataset]:
    """The labelled pictures to hold answers against, and what they are."""
    if data is None:
        parts = _parts_of_run(model, classifier)
        if part is None:
            return parts.judged
        if (chosen := parts._asdict().get(part)) is None:
            raise OptionError(f"--part is {part!r}; expected one that the run has: {listed(_there(parts))}.")
        return part, chosen
    from ..dataset import Dataset

    found = recognise(data).labelled
    name = part or next(name for name in ("test", "validation", "all", "train") if name in found)
    if name not in found:
        raise OptionError(f"--part is {name!r}; '{data}' has {listed(found)}. Say one of these.")
    spec = classifier.spec
    how: Any = {"image_size": spec.image_size, "color_mode": spec.color_mode, "fit": spec.fit, "on_error": "skip"}
    loaded = Dataset.load(found[name].open(), **how)
    return name, loaded


def _there(parts: Parts) -> list[str]:
    return [name for name, part in parts._asdict().items() if part is not None]


def _parts_of_run(model: Path, classifier: Classifier) -> Parts:
    """The pictures of the run that made the classifier."""
    from ..jobs import config_of, parts_of_run

    folder = model if model.is_dir() else model.parent
    known = (folder / "config.json").exists() and config_of(folder)
    if not known or any(known[name] != classifier.provenance.get(name) for name in ("train", "validation", "trainer")):
        raise OptionError(
            f"'{model}' was not made by a run in its folder, so its pictures are not known. Give labelled pictures "
            "behind it."
        )
    return parts_of_run(folder)


def _pictures(given: Iterable[Path]) -> list[Path]:
    """The files given, and those of the folders given."""
    found: list[Path] = []
    for path in given:
        if path.is_dir():
            found += [Path(file) for file in list_pictures(path).pictures.values()]
        else:
            found.append(path)
    if not found:
        raise OptionError(f"there are no pictures in {listed(str(path) for path in given)}. Give files, or a folder.")
    return found


def _of_readable(
    classifier: Classifier, files: list[Path], ask: Callable[[list[Path]], Answer]
) -> tuple[Answer | None, list[str]]:
    """What *ask* says of the files that can be read, and a sentence for each of the others."""
    try:
        return ask(files), []
    except ImageError:
        readable, faults = _sorted_out(classifier, files)
        return (ask(readable) if readable else None), faults


def _sorted_out(classifier: Classifier, files: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """The files that can be read, and a sentence for each of the others."""
    readable, faults = [], []
    for path in files:
        try:
            classifier.prepare(path)
            readable.append(path)
        except ImageError as error:
            faults.append(str(error))
    return readable, faults


def _tell(faults: Sequence[str], *, answered: bool) -> None:
    """Name what could not be read, and end with an exit code that says so."""
    for fault in faults:
        complain(fault)
    if faults:
        raise typer.Exit(NOT_ALL if answered else ERROR)


def _likeliest(said: Predictions, top: int) -> Table:
    from ..tables import Table

    order = (-said.probabilities).argsort(axis=1, kind="stable")[:, :top]
    rows = []
    for key, ranked, shares in zip(said.keys, order, said.probabilities, strict=True):
        rows.append((str(key), *(f"{said.class_names[label]} {shares[label]:.4f}" for label in ranked)))
    places = ("likeliest", *(f"{number}." for number in range(2, order.shape[1] + 1)))
    return Table(("key", *places), rows)
