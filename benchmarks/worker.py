"""The process in which a contender runs: sets it up, then measures a round whenever it is told to.

``python -m benchmarks.worker`` reads a line of JSON at a time: ``["benchmarks.predict_one", "imgclf", {"tiny": true,
"work": "scratch"}]`` sets a contender up, ``"go"`` runs a round of it.  Each is answered by a line of JSON.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from . import machine
from .harness import Benchmark, Options

try:
    import resource
except ImportError:  # Windows
    resource = None

Once = Callable[[], Mapping[str, float]]


def main() -> None:
    """Answer until the parent goes away.  What libraries print goes to the standard error."""
    _end_with_the_parent()
    orders, answers = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    if importlib.util.find_spec("imgclf") is None:
        sys.path.append(str(machine.ROOT / "src"))
    once: Once | None = None
    for line in orders:
        order = json.loads(line)
        try:
            if order == "go":
                assert once is not None, "nothing was set up"
                _answer(answers, measured(once))
            else:
                close(once)
                once = None
                forget()
                once, said = set_up(*order)
                _answer(answers, said)
        except Exception as error:
            traceback.print_exc()
            _answer(answers, {"left_out": f"{type(error).__name__}: {error}"[:300]})


def _end_with_the_parent() -> None:
    """On Linux the system ends this process when the parent is killed, even while it is stopped."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1: PR_SET_PDEATHSIG


def set_up(module: str, contender: str, options: Mapping[str, Any]) -> tuple[Once | None, dict[str, Any]]:
    """``once`` of a contender, and the answer: seconds and versions, or which modules are missing."""
    benchmark: Benchmark = importlib.import_module(module).BENCHMARK
    missing = [name for name in benchmark.needs.get(contender, ()) if importlib.util.find_spec(name) is None]
    if missing:
        return None, {"left_out": f"not installed: {', '.join(missing)}", "missing": missing}
    given = Options.from_dict(options)
    if given.threads is not None:
        confine(given.threads)
    os.environ["IMGCLF_CACHE"] = str(given.work / "cache")
    start = time.perf_counter()
    once = benchmark.contenders[contender](given)
    seconds = time.perf_counter() - start
    loaded = [name for name, imported in _IMPORTED.items() if imported in sys.modules]
    versions = {"python": machine.platform.python_version(), **machine.versions(loaded)}
    return once, {"setup_seconds": round(seconds, 3), "versions": versions}


def measured(once: Once) -> dict[str, float]:
    """A round: wall and processor seconds (children that have ended included), memory in MB, and its own figures."""
    machine.forget_peak()
    before, cpu, start = machine.memory_mb(), cpu_seconds(), time.perf_counter()
    figures = dict(once())
    seconds = time.perf_counter() - start
    cpu, after = cpu_seconds() - cpu, machine.memory_mb()
    memory = {"peak_mb": round(after["peak"], 1), "start_mb": round(before["now"], 1)}
    return {"seconds": round(seconds, 6), "cpu_seconds": round(cpu, 6), **memory, **_plain(figures)}


def cpu_seconds() -> float:
    """Processor seconds of this process and of those that it started, in user and system mode."""
    if resource is None:
        return sum(os.times()[:4])
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime + sum(map(_spent, _living()))


def _living() -> list[str]:
    """What Linux says of the other processes of this session: a loader's workers live as long as the contender."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            said = place.read_text()
            if int(place.parent.name) != os.getpid() and int(_fields(said)[3]) == os.getsid(0):
                found.append(said)
    return found


def _fields(said: str) -> list[str]:
    return said.rpartition(")")[2].split()  # a name may hold spaces and brackets


def _spent(said: str) -> float:
    user, system = _fields(said)[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def confine(threads: int) -> None:
    """Give this process, and what it starts, *threads* cores, where the system can; and say so to the libraries."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        os.environ[name] = str(threads)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def close(once: Once | None) -> None:
    """End what a contender holds on to, before the next one runs in the same process: ``once.close()``."""
    closing = getattr(once, "close", None)
    if closing is not None:
        closing()


def forget() -> None:
    """What a contender left behind in Keras, where the next one runs in the same process."""
    if "keras" in sys.modules:
        keras = sys.modules["keras"]
        keras.config.set_dtype_policy("float32")
        keras.utils.clear_session()


_IMPORTED = {
    name: {"pillow": "PIL", "opencv-python-headless": "cv2", "grad-cam": "pytorch_grad_cam"}.get(name, name)
    for name in machine.PACKAGES
}


def _plain(figures: Mapping[str, Any]) -> dict[str, float]:
    return {name: round(float(value), 6) for name, value in figures.items()}


def _answer(answers: TextIO, content: Mapping[str, Any]) -> None:
    answers.write(json.dumps(content) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
