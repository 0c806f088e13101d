"""What this machine's processor can do, as the operating system reports it: nothing is tried out, nothing guessed.

In: nothing.  Out: the names of its instruction sets, whether bfloat16 is among them, and how many cores may be used.
"""

from __future__ import annotations

import functools
import os
import platform
import sys
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16"})  # Linux's names; Zen 4, Cooper Lake and Sapphire Rapids have them
_WITH = ("BF16", "FP16", "AMX", "AVX10", "DEFAULT", "ALL")
"""What stands in the names of oneDNN's levels with bfloat16; a user may hold it back to a lower one."""


@functools.cache
def features() -> frozenset[str]:
    """The instruction sets of the processor by Linux's names, such as ``"avx512_bf16"``; empty on other systems."""
    try:
        text = _CPUINFO.read_text("utf-8", "replace") if sys.platform == "linux" else ""
    except OSError:
        return frozenset()
    lines = (line.partition(":") for line in text.splitlines())
    sets = [frozenset(said.split()) for name, _, said in lines if name.strip() in {"flags", "Features"}]
    return frozenset.intersection(*sets) if sets else frozenset()  # where cores differ, what all of them have


def has_bfloat16() -> bool:
    """Whether the processor has bfloat16 instructions and oneDNN, which uses them, is not held back."""
    level = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or "DEFAULT"  # the older name
    return any(word in level.upper() for word in _WITH) and not _BFLOAT16.isdisjoint(features())


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def model_name() -> str:
    """The processor's name as the system has it, such as ``"AMD EPYC 9R14"``; its architecture where it has none."""
    try:
        text = _CPUINFO.read_text("utf-8", "replace") if sys.platform == "linux" else ""
    except OSError:
        text = ""
    names = (line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()
