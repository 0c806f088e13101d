"""A fresh process that imports the library and does nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping

from .harness import Benchmark, Contender, Options


def importing(*modules: str) -> Contender:
    """The contender that imports *modules* in a process of its own."""

    def setup(options: Options) -> Callable[[], Mapping[str, float]]:
        work = "; ".join(f"import {module}" for module in modules) or "pass"
        if options.tiny and modules != ("imgclf",):  # the others take seconds each, and are not ours to test
            work = "; ".join(["import importlib.util", *(f"importlib.util.find_spec({m!r}).name" for m in modules)])
        command = [sys.executable, "-c", work]

        def once() -> Mapping[str, float]:
            subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - nothing from outside
            return {"starts": 1}

        once()  # the files lie in the system's memory from now on, and are compiled
        return once

    return setup


BENCHMARK = Benchmark(
    name="start",
    title="Starting Python and importing",
    unit="starts",
    contenders={
        "import imgclf": importing("imgclf"),
        "import keras": importing("keras"),
        "import tensorflow": importing("tensorflow"),
        "import torch": importing("torch"),
        "Python alone": importing(),
    },
    reference="import keras",
    target_seconds=0.5,
    needs={"import tensorflow": ("tensorflow",), "import torch": ("torch",)},
    group="Start",
    about="A process in every round; the files lie in the system's memory. The processor seconds are those of "
    "the processes.",
)
