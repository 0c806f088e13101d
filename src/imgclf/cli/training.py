"""``imgclf train``: from a path to a classifier, its figures and its report."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import FileError
from ..interrupts import RunStopped
from .preparing import Asked, Prepared, asked_of, chosen, repeated, run_folder, seconds, written_report
from .terminal import NOT_ALL, app, complain, quiet_import, say

if TYPE_CHECKING:
    from ..jobs import Job, Parts
    from ..runs import TrainingRun

_DATA, _RECIPE, _RUN = "The pictures", "The recipe", "The run"


@app.command()
def train(
    path: Annotated[
        Path | None,
        typer.Argument(
            help="Class folders, a folder with train/, named pictures, a table, a .zip of these.", show_default=False
        ),
    ] = None,
    image_size: Annotated[str | None, typer.Option(help="Pixels: 150, or HEIGHTxWIDTH.", rich_help_panel=_DATA)] = None,
    color_mode: Annotated[str | None, typer.Option(help="rgb or grayscale.", rich_help_panel=_DATA)] = None,
    fit: Annotated[
        str | None,
        typer.Option(help="Pictures of another shape: stretch (default), crop or pad.", rich_help_panel=_DATA),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            help="folders, filenames, csv_pixels, table or tfrecords; default: by what is there.", rich_help_panel=_DATA
        ),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE of the source, with --kind: pattern=…, label=…", rich_help_panel=_DATA),
    ] = None,
    validation: Annotated[
        float | None,
        typer.Option(help="Share to choose the epoch by, if no part is for that: 0.15.", rich_help_panel=_DATA),
    ] = None,
    test: Annotated[
        float | None,
        typer.Option(help="Share to measure with, if no part is for that: 0.15; 0: none.", rich_help_panel=_DATA),
    ] = None,
    split_seed: Annotated[
        int | None, typer.Option(help="Another seed, another split: 42.", rich_help_panel=_DATA)
    ] = None,
    groups: Annotated[
        str | None,
        typer.Option(help="Stays on one side of a split: what this pattern matches in paths.", rich_help_panel=_DATA),
    ] = None,
    check: Annotated[
        bool, typer.Option(help="Look for broken, doubled and leaking pictures first.", rich_help_panel=_DATA)
    ] = True,
    recipe: Annotated[
        str | None, typer.Option(help="One of `imgclf recipes`; default: what suits.", rich_help_panel=_RECIPE)
    ] = None,
    architecture: Annotated[
        str | None, typer.Option(help="One of `imgclf architectures`.", rich_help_panel=_RECIPE)
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="At most so many.", rich_help_panel=_RECIPE)] = None,
    batch_size: Annotated[int | None, typer.Option(help="Pictures in a step.", rich_help_panel=_RECIPE)] = None,
    learning_rate: Annotated[float | None, typer.Option(help="At the start.", rich_help_panel=_RECIPE)] = None,
    optimizer: Annotated[str | None, typer.Option(help="adam, rmsprop, sgd …", rich_help_panel=_RECIPE)] = None,
    augmentation: Annotated[
        str | None, typer.Option(help="A preset: book, dogs_vs_cats, mnist, none …", rich_help_panel=_RECIPE)
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Weights, order, augmentation.", rich_help_panel=_RECIPE)] = None,
    precision: Annotated[
        str | None, typer.Option(help="auto, float32 or mixed_bfloat16.", rich_help_panel=_RECIPE)
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Any setting of a Trainer: class_weights=balanced, options.dropout=0.3, augmentation.cval=255",
            metavar="NAME=VALUE",
            rich_help_panel=_RECIPE,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="Repeat the run of this config.json (or run folder).", rich_help_panel=_RUN),
    ] = None,
    time: Annotated[
        str | None, typer.Option(help="About so long, such as 10m: chooses size and epochs.", rich_help_panel=_RUN)
    ] = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="Default: runs/<name>.", show_default=False, rich_help_panel=_RUN)
    ] = None,
    checkpoint_every: Annotated[
        int | None, typer.Option(help="Steps between states within an epoch.", rich_help_panel=_RUN)
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Discard the run that is there.", rich_help_panel=_RUN)] = False,
    print_code: Annotated[
        bool, typer.Option(help="Print the Python script that does the same, and stop.", rich_help_panel=_RUN)
    ] = False,
    eject: Annotated[
        Path | None,
        typer.Option(help="Write the plain Keras script that does the same here, and stop.", rich_help_panel=_RUN),
    ] = None,
) -> None:
    """Train a classifier on the pictures at PATH, and say how good it is.

    Looks at what lies there, checks it, splits it, chooses what suits, trains, measures, writes a report. Broken off?
    The same command goes on.
    """
    named = {
        "architecture": architecture,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "optimizer": optimizer,
        "augmentation": augmentation,
        "seed": seed,
        "precision": precision,
    }
    typed = [f"{name}={value}" for name, value in named.items() if value is not None]
    asked = Asked(
        path=path,
        image_size=image_size,
        color_mode=color_mode,
        fit=fit,
        kind=kind,
        source=tuple(source or ()),
        validation=validation,
        test=test,
        split_seed=split_seed,
        groups=groups,
        recipe=recipe,
        settings=(*typed, *(settings or ())),
        config=config,
        time=time,
    )
    with quiet_import():
        asked.check()
    folder = run_dir or run_folder(asked)
    prepared = _prepared(asked, folder, check=check and not print_code and eject is None, overwrite=overwrite)
    if print_code:
        print(script(prepared.job))
        return
    parts = prepared.parts or prepared.job.load()
    if eject is not None:
        _eject(prepared.job, parts, eject, overwrite=overwrite)
        return
    say(f"training: {parts.train!r}")
    try:
        run = prepared.job.trainer.fit(
            parts.train,
            parts.validation,
            run_dir=folder,
            checkpoint_every=checkpoint_every,
            overwrite=overwrite,
            time_limit=None if time is None else seconds(time),
            notes=prepared.job.notes(asked=asked.identity),
            verbose="bar",
        )
    except RunStopped as stopped:  # Typer would make the exit code of Ctrl-C of it
        complain(str(stopped))
        raise typer.Exit(stopped.status) from None
    _told(run, prepared, parts, folder)


def _prepared(asked: Asked, folder: Path, *, check: bool, overwrite: bool) -> Prepared:
    if not overwrite and asked_of(folder) == asked.identity:  # broken off: what was chosen then is chosen now
        say(f"the run in {folder} is this one: it goes on where it was, and is measured. --overwrite begins anew")
        return repeated(asked, folder, check=check)
    return repeated(asked, asked.config, check=check) if asked.config is not None else chosen(asked, check=check)


def script(job: Job) -> str:
    """The Python script that does what ``imgclf train`` would."""
    return "\n".join(
        [
            job.code,
            "run = trainer.fit(train, validation, run_dir='runs/script')",
            f"print(run, run.classifier.evaluate({job.judged}), sep='\\n\\n')",
        ]
    )


def _told(run: TrainingRun, prepared: Prepared, parts: Parts, folder: Path) -> None:
    """Say what came of it, and what to type next."""
    name, judged = parts.judged
    said = run.classifier.evaluate(judged)
    low, high = said.accuracy_interval
    if run.epochs < prepared.job.trainer.epochs:
        say(
            f"ended after epoch {run.epochs} of {prepared.job.trainer.epochs}: early, or at the time limit, from which "
            "the same command goes on"
        )
    report = written_report(folder, run, parts, prepared.health)
    chosen_by = " (which also chose the epoch: a little too good)" if name == "validation" else ""
    print(f"accuracy {said.accuracy:.4f}, 95 % interval {low:.4f} to {high:.4f}, ", end="")
    print(f"on {len(judged):,} {name} pictures{chosen_by}")
    print(f"run      {folder}")
    print(f"report   {report}")
    print(f"next     imgclf predict {shlex.quote(str(folder))} PICTURE...")
    grave = prepared.health is not None and prepared.health.exit_code == 4
    if grave:
        complain("the check found errors, so the accuracy may be too good or the labels wrong: see the report.")
    if grave or parts.train.skipped:
        raise typer.Exit(NOT_ALL)


def _eject(job: Job, parts: Parts, folder: Path, *, overwrite: bool) -> None:
    from ..ejecting import eject

    if (folder / "train.py").exists() and not overwrite:
        raise FileError(f"'{folder / 'train.py'}' is there already. Choose another folder, or say --overwrite.")

    sources = {name: spec.open() for name, spec in job.parts.items()}
    source = sources["all"] if "all" in sources else {"validation": sources["train"], **sources}
    written = eject(folder, job.trainer, parts.train, parts.validation, test=parts.test, source=source)
    print(f"written to {folder}; train with: python {shlex.quote(str(written))}")
