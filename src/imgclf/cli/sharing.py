"""Commands that hand a classifier on: report, export, demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import OptionError
from .answers import Trust
from .preparing import written_report
from .terminal import ModelArgument, app, open_model, quiet_import


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="The folder of a run.", show_default=False)],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Default: report.html in the folder.")] = None,
    check: Annotated[bool, typer.Option(help="Look for broken, doubled and leaking pictures, too.")] = True,
    trust: Trust = False,
) -> None:
    """Write the report of a run again: one HTML file that needs nothing else, and a model card."""
    with quiet_import():
        from .. import health
        from ..jobs import read_config
        from ..runs import TrainingRun

    job, done = read_config(run), TrainingRun.load(run, trust=trust)
    found = health.check({name: spec.open() for name, spec in job.parts.items()}) if check else None
    parts = job.load()
    written = written_report(run, done, parts, found, out)
    print(f"written to {written}")


@app.command()
def export(
    model: ModelArgument,
    out: Annotated[Path, typer.Argument(help="pets.onnx, pets.tflite, or a folder.", show_default=False)],
    format: Annotated[  # noqa: A002
        str | None, typer.Option("--format", "-f", help="onnx, litert or saved_model; default: by the name.")
    ] = None,
    trust: Trust = False,
) -> None:
    """Write the classifier for other programs, and see that it answers there as it does here."""
    endings = {".onnx": "onnx", ".tflite": "litert", "": "saved_model"}
    chosen: Any = format or endings.get(out.suffix.lower())
    if chosen is None:
        raise OptionError(
            f"'{out}' tells no format; expected a name in .onnx or .tflite, or a folder for TensorFlow's SavedModel. "
            "Name it so, or say --format."
        )
    print(open_model(model, trust=trust).export(out, format=chosen))


@app.command()
def demo(
    model: ModelArgument,
    port: Annotated[int | None, typer.Option(help="Default: the first free one from 7860.")] = None,
    browser: Annotated[bool, typer.Option(help="Open it in the browser.")] = True,
    trust: Trust = False,
) -> None:
    """Open a page on this machine alone: drop a picture, see classes, probabilities and reasons."""
    classifier = open_model(model, trust=trust)
    from ..demo import launch

    launch(classifier, port=port, open_browser=browser)
