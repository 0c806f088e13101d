"""``python -m benchmarks``: run all benchmarks, or those named, and write what was measured as JSON.

Then ``python -m benchmarks.page`` makes ``docs/performance.md`` of it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import harness
from .child import Child
from .machine import ROOT
from .turns import Run

_PATIENCE = 120.0  # seconds for a tiny contender, which takes a few
RESULTS = ROOT / "docs" / "results" / "performance"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; the exit code is 1 where a contender failed that could have run."""
    chosen = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the contenders are to end with it, and the work folder
    if unknown := set(chosen.names) - set(harness.names()):
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(harness.names())}")
    pythons = dict(pair.split("=", 1) for pair in chosen.python)
    data = chosen.data.resolve() if chosen.data else None
    out = chosen.out or (None if chosen.tiny else RESULTS)
    failed = False
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as work, contextlib.ExitStack() as stack:
        shared = Child(sys.executable, _PATIENCE) if chosen.one_process else None
        if shared is not None:
            stack.callback(shared.end)
        run = Run(chosen.rounds, data, chosen.tiny, pythons, shared)
        for name in chosen.names or harness.names():
            for result in run.measure(harness.load(name), Path(work)):
                if out is not None:
                    write(out / f"{name}.json", {"command": _command(chosen, name), **result})
            failed |= any("left_out" in entry and "missing" not in entry for entry in result["contenders"].values())
    return int(failed)


def write(path: Path, content: object) -> None:
    """Write JSON with a round to a line, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(path)


def _command(chosen: argparse.Namespace, name: str) -> str:
    """The command that gives this result; places of this machine are put in general words."""
    data = ["--data", "DATA"] if chosen.data else []
    others = [word for pair in chosen.python for word in ("--python", f"{pair.partition('=')[0]}=PYTHON")]
    tiny = ["--tiny"] if chosen.tiny else []
    return " ".join(["python -m benchmarks", name, "--rounds", str(chosen.rounds), *tiny, *data, *others])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Who takes how long for the same work.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(harness.names())}; none: all")
    parser.add_argument("--rounds", type=int, default=5, help="turns of every contender (5)")
    parser.add_argument("--tiny", action="store_true", help="tiny built-in data: does everything still work?")
    parser.add_argument("--data", type=Path, help="folder of real pictures: dogs_vs_cats/train/cats/… and so on")
    parser.add_argument("--out", type=Path, help="where JSON goes (docs/results/performance; tiny ones nowhere)")
    parser.add_argument("--one-process", action="store_true", help="all contenders in one process, which is quick")
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="MODULE=PATH",
        help="the interpreter of contenders that need MODULE: torch=/path/to/python",
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
