"""What the commands share: the application, its exit codes, how errors and tables reach the terminal.

========  ======================================================================================
0         done
1         an error: one sentence on standard error says what to do
2         the command line itself cannot be understood
3         done, but look: some pictures could not be read, or the check has warnings
4         the check found errors
130, 143  stopped by Ctrl-C or SIGTERM; the same command goes on where a run was
========  ======================================================================================
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import warnings
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..backend_choice import missing_backend, package_version
from ..errors import ImgclfError, RunError
from ..files import finite

if TYPE_CHECKING:
    from ..classifier import Classifier
    from ..tables import Table

app = typer.Typer(
    name="imgclf",
    help="Labelled pictures in, a trustworthy image classifier out, and the reasons for its answers.",
    epilog="Begin with: imgclf train FOLDER",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ERROR, NOT_ALL = 1, 3


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Say which imgclf this is.", is_eager=True)] = False,
) -> None:
    if version:
        print(package_version("imgclf"))
        raise typer.Exit


_TYPED = {
    "pass overwrite=True": "say --overwrite",
    "overwrite=True": "--overwrite",
    "Give the run_dir of a Trainer.fit": "Give the folder of a run, such as runs/pets",
    "run_dir": "the run's folder",
    "trust=True": "--trust",
    "or pass on_error='skip'": "or leave them",
}


class Format(StrEnum):
    """How a table is printed."""

    table = "table"
    csv = "csv"
    json = "json"


FormatOption = Annotated[
    Format | None, typer.Option("--format", "-f", help="Default: a table on a terminal, CSV into a pipe or file.")
]
ModelArgument = Annotated[
    Path, typer.Argument(help="A .keras file, or the folder of a run.", show_default=False, metavar="MODEL")
]


def run() -> None:
    """The commands, with every error of ours as one sentence and an exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.showwarning = _said_shortly
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name may hold what the terminal's encoding lacks
    try:
        from . import training, answers, sharing, looking  # noqa: F401, I001 - each puts its commands into the application

        app()
    except ImgclfError as error:
        complain(str(error))
        sys.exit(ERROR)
    except ModuleNotFoundError as error:
        if (no_backend := missing_backend(error)) is None:
            raise
        complain(str(no_backend))
        sys.exit(ERROR)


def say(*parts: object) -> None:
    """Tell the user something, on standard error: standard output is for results."""
    print(*parts, file=sys.stderr, flush=True)


def complain(message: str) -> None:
    """Tell an error, in the words of the command line where the message speaks Python."""
    for python, typed in _TYPED.items():
        message = message.replace(python, typed)
    say(f"imgclf: {message}")


def printed(wanted: Format | None) -> Format:
    """How a table is printed: as *wanted*, else aligned on a terminal and as CSV into a pipe or file."""
    return wanted or (Format.table if sys.stdout.isatty() else Format.csv)


def show(table: Table, wanted: Format | None) -> None:
    """Print *table* on standard output, as :func:`printed` says."""
    chosen = printed(wanted)
    if chosen is Format.table:
        print(table)
    elif chosen is Format.json:
        show_json(table.records())
    else:
        sys.stdout.write(table.csv())


def show_json(content: object) -> None:
    """Print *content* as JSON; NaN becomes null."""
    print(json.dumps(finite(content), indent=2, ensure_ascii=False, default=str))


def open_model(path: Path, *, trust: bool = False) -> Classifier:
    """The classifier of a ``.keras`` file, or of a run's folder.

    Raises:
        RunError: as :func:`model_file`.
        ModelFileError: a file that cannot be opened.
    """
    file = model_file(path)
    with quiet_import():
        from ..classifier import Classifier

    return Classifier.load(file, trust=trust)


def model_file(path: Path) -> Path:
    """The ``.keras`` file that *path* is, or that is in the run's folder.

    Raises:
        RunError: a folder that is no run's.
    """
    if path.is_dir() and not (path / "best.keras").exists():
        near = Path("runs") / path.name
        hint = f" Did you mean {str(near)!r}?" if (near / "best.keras").exists() else ""
        raise RunError(f"'{path}' is no run's folder: it has no best.keras. Give a run, or a .keras file.{hint}")
    return path / "best.keras" if path.is_dir() else path


@contextlib.contextmanager
def quiet_import() -> Iterator[None]:
    """A block in which a backend is imported, and finds its devices, without what TensorFlow's core writes past Python.

    A dozen lines on its build, and an error where there is no GPU, would stand between the user and the answer.
    """
    if sys.platform == "win32":
        yield
        return
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        from .. import _backend

        _backend.devices()
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def parsed(text: str) -> Any:
    """*text* as JSON if it is some, else itself: ``0.5``, ``true``, ``[32, 64]``, ``adam``."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _said_shortly(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    if not issubclass(category, DeprecationWarning | PendingDeprecationWarning | FutureWarning):
        say(f"warning: {message}")
