"""Commands that look: at pictures, at what the library has, at the installation."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..backend_choice import BACKENDS, package_version
from ..files import cache_folder
from ..processor import features, has_bfloat16, usable_cores
from ..recognition import recognise
from ..tables import Table
from .terminal import Format, FormatOption, app, printed, quiet_import, say, show, show_json

_NEEDED = ("numpy", "pillow", "opencv-python-headless", "scikit-learn", "matplotlib")
_EXTRAS = {
    "onnx": ("onnx", "onnxruntime", "tf2onnx"),
    "litert": ("ai-edge-litert",),
    "tensorboard": ("tensorboard",),
}


@app.command()
def check(
    path: Annotated[Path, typer.Argument(help="Labelled pictures, as for train.", show_default=False)],
    near: Annotated[bool, typer.Option(help="Look for near copies, too, not only for equal pictures.")] = True,
    save: Annotated[Path | None, typer.Option(help="Write everything there as JSON.", show_default=False)] = None,
    format: FormatOption = None,  # noqa: A002 - the word for it
) -> None:
    """Look for broken, doubled, leaking and contradictory pictures, without changing them.

    Exit code: 0 nothing to mend, 3 warnings, 4 errors.
    """
    from .. import health

    found = recognise(path)
    say(found)
    report = health.check(found.open(), near=near)
    if save is not None:
        report.to_json(save)
    if printed(format) is Format.table:
        print(report)
    elif format is Format.json:
        show_json(report.to_dict())
    else:
        rows = [
            (one.severity, one.check, " = ".join(pictures), one.what)
            for one in report.findings
            for pictures in (one.pictures or [()])
        ]
        show(Table(("severity", "check", "pictures", "what"), rows), format)
    raise typer.Exit(report.exit_code)


@app.command()
def architectures(format: FormatOption = None) -> None:  # noqa: A002
    """List the networks that --architecture takes."""
    with quiet_import():
        from ..architectures import registry

    show(registry.table(), format)


@app.command()
def recipes(format: FormatOption = None) -> None:  # noqa: A002
    """List the recipes that --recipe takes."""
    with quiet_import():
        from .. import recipes as known

    show(known.table(), format)


@app.command()
def doctor(format: FormatOption = None) -> None:  # noqa: A002
    """Say what is installed, on which backend and processor networks would train, and what is missing."""
    rows: list[tuple[str, str]] = [
        ("imgclf", package_version("imgclf")),
        ("python", f"{sys.version.split()[0]} ({platform.system()} {platform.machine()})"),
        ("keras", _version("keras")),
        *((name, _version(name)) for name in BACKENDS),
        *_of_backend(),
        ("cores", str(usable_cores())),
        ("processor", ", ".join(sorted(_telling(features()))) or "not told by this system"),
        ("bfloat16", "yes: precision=auto trains in it" if has_bfloat16() else "no: precision=auto trains in float32"),
        *((name, _version(name)) for name in _NEEDED),
        *((f"imgclf[{extra}]", _extra(extra)) for extra in _EXTRAS),
        ("gradio (demo)", _version("gradio")),
        ("cache", _cache()),
    ]
    show(Table(("what", "here"), rows), format)


def _of_backend() -> list[tuple[str, str]]:
    """The backend in use and its devices; the reason where there is none."""
    try:
        with quiet_import():
            from .. import _backend

            return [("backend", _backend.backend()), ("devices", ", ".join(_backend.devices()))]
    except Exception as error:  # whatever is wrong with the installation is what this command is to say
        return [("backend", f"none: {error}")]


def _telling(flags: frozenset[str]) -> set[str]:
    return {
        flag for flag in flags if flag in {"avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_tile", "asimd", "bf16"}
    }


def _version(package: str) -> str:
    found = package_version(package)
    return "not installed" if found == "unknown" else found


def _extra(name: str) -> str:
    missing = [package for package in _EXTRAS[name] if _version(package) == "not installed"]
    return f"pip install 'imgclf[{name}]' brings {', '.join(missing)}" if missing else "installed"


def _cache() -> str:
    folder = cache_folder()
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.exists() else 0
    return f"{folder} ({size / 2**20:,.0f} MB)"
