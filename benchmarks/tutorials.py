"""The tutorials' outputs, from runs of the examples: ``python -m benchmarks.tutorials [NAME ...]``.

In: ``examples/<name>.py``, and the first example of ``docs/start.md`` under the name ``start``.  Out:
``docs/results/tutorials/<name>/``: what each block printed and drew.  The pages are then assembled without running
anything (``docs/gallery.py``); a test fails where an example's code is no longer that of its run.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import hashlib
import io
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .machine import ROOT, header

EXAMPLES = ROOT / "examples"
PLACE = ROOT / "docs" / "results" / "tutorials"
_WIDEST = 1200  # pixels: what a page has room for, and more on fine screens
_ANSI = re.compile(r"\x1b\[\d*m")
_PROGRESS = re.compile(r"^ *(\d+)/(\d+) ━+ *(.*)$")


def code_blocks(text: str) -> list[str]:
    """The code of an example, block by block, without its head and the prose that begins with ``# %%``."""
    parts = re.split(r"^# %%.*\n(?:#.*\n)*", text.split('"""', 2)[2], flags=re.MULTILINE)
    return [part for part in parts if part.strip()]


def digest(text: str) -> str:
    """Changes with the code of an example, not with its comments, its head or where its lines break."""
    said = "\n".join(ast.dump(ast.parse(block)) for block in code_blocks(text))
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def names() -> list[str]:
    """The examples, as their files are called, and the one of the page *Get started*."""
    return [*sorted(path.stem for path in EXAMPLES.glob("*.py")), "start"]


def script(name: str) -> str:
    """What is run under this name: a file of ``examples/``, or the first Python of ``docs/start.md``."""
    if name != "start":
        return (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "start.md").read_text(encoding="utf-8")
    return '"""Get started."""\n' + page.split("```python\n", 1)[1].split("```", 1)[0]


def record(name: str) -> None:
    """Run an example block by block in a new folder, and keep what came out."""
    from imgclf.files import write_json

    text, path, place = script(name), EXAMPLES / f"{name}.py", PLACE / name
    place.mkdir(parents=True, exist_ok=True)
    for old in place.iterdir():
        old.unlink()
    sys.argv[:] = [str(path)]
    scope: dict[str, Any] = {"__name__": "__main__"}
    began, blocks, written = time.monotonic(), [], {}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        out = Path() if name == "start" else Path("out", name)
        for code in code_blocks(text):
            with contextlib.redirect_stdout(io.StringIO()) as said:
                exec(compile(code, str(path), "exec"), scope)  # noqa: S102 - the project's own example
            now = {each: each.stat().st_mtime_ns for each in out.glob("*.png")}
            new = sorted((each for each in now if now[each] != written.get(each)), key=lambda each: now[each])
            written = now
            figures = [_keep(figure, place) for figure in new]
            blocks.append({"said": as_read(said.getvalue()), "figures": figures})
    run = {"code": digest(text), "seconds": round(time.monotonic() - began, 1), "blocks": blocks}
    write_json(place / "run.json", header() | run)


def as_read(said: str) -> str:
    """What stays on a terminal: of each progress bar its end; of many epochs the first and the last two."""
    lines = [_ended(line.rsplit("\r", 1)[-1]) for line in said.replace("\x08", "").split("\n")]
    kept = [line for line in lines if line is not None]
    epochs = [at for at, line in enumerate(kept) if re.fullmatch(r"Epoch \d+/\d+", line)]
    for run in reversed(_trainings(kept, epochs)):
        if len(run) > 5:
            kept[run[2] : run[-2]] = [f"… ({len(run) - 4} more)"]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in kept)).strip("\n")


def _ended(line: str) -> str | None:
    """A progress bar that has come to its end, without the bar; None for one that has not."""
    plain = _ANSI.sub("", line)
    found = _PROGRESS.match(plain)
    if found is None:
        return plain
    done, of, rest = found.groups()
    return f"{done}/{of} - {rest}" if done == of else None


def _trainings(lines: Sequence[str], epochs: Sequence[int]) -> list[list[int]]:
    """Where the epochs of each training begin."""
    found: list[list[int]] = []
    for at in epochs:
        if lines[at].startswith("Epoch 1/") or not found:
            found.append([])
        found[-1].append(at)
    return found


def _keep(figure: Path, place: Path) -> str:
    """The name of the figure as a page shows it: no wider than there is room for, a tenth of its bytes."""
    from PIL import Image

    with Image.open(figure) as opened:
        picture = opened.convert("RGB")
    picture.thumbnail((_WIDEST, 10 * _WIDEST), Image.Resampling.LANCZOS)
    picture.save(place / f"{figure.stem}.webp", quality=90, method=6)
    return f"{figure.stem}.webp"


def main() -> None:
    """Record the examples named, or all; each in a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tutorials", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names()))
    chosen = parser.parse_args().names or names()
    if len(chosen) == 1:
        record(chosen[0])
        return
    for name in chosen:
        print(name, flush=True)
        command = [sys.executable, "-m", "benchmarks.tutorials", name]
        subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})  # noqa: S603


if __name__ == "__main__":
    main()
