"""What stands at the head of every result: the machine, the versions, the commit and the day.

In: nothing.  Out: plain JSON.  Nothing heavy is imported: a version is read from what is installed.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (
    "imgclf",
    "keras",
    "tensorflow",
    "jax",
    "torch",
    "torchvision",
    "timm",
    "fastai",
    "grad-cam",
    "numpy",
    "pillow",
    "opencv-python-headless",
    "scipy",
)
_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8", "asimd", "bf16")
_CPUINFO, _MEMINFO = Path("/proc/cpuinfo"), Path("/proc/meminfo")


def header() -> dict[str, Any]:
    """Everything that a figure depends on and that the code does not say."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "machine": machine(),
        "versions": {"python": platform.python_version(), **versions()},
    }


def machine() -> dict[str, Any]:
    """Processor, cores, memory, system, and how busy it was: the load of the last minute, without ours."""
    from imgclf.processor import features, usable_cores  # here: a peer's interpreter may lack imgclf, and is told late

    facts: dict[str, Any] = {
        "processor": _processor() or platform.processor() or platform.machine(),
        "architecture": platform.machine(),
        "cores": usable_cores(),
        "flags": [flag for flag in _FLAGS if flag in features()],
        "memory_gb": _memory_gb(),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }
    if (found := _accelerator()) is not None:
        facts["accelerator"] = found
    return facts


def in_words() -> str:
    """The machine in one line."""
    facts = machine()
    return f"{facts['processor']}, {facts['cores']} cores, {facts['architecture']}, {platform.system()}"


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """The versions of those *packages* that are installed here."""
    found = {}
    for package in packages:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def commit() -> str | None:
    """The commit, with a plus where files differ from it; None where there is no repository."""
    said = _said("git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--exclude=*")
    return said or None


def memory_mb() -> dict[str, float]:
    """Memory of this process in MB, as told: ``now``, at its ``peak``, ``anonymous`` (what no file backs) and ``data``.

    The last is what the process has asked for and may write to, used or not: what ``RLIMIT_DATA`` limits.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        import resource

        unit = 1e6 if platform.system() == "Darwin" else 1e3
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
        return {"now": peak, "peak": peak}
    rows = dict(line.split(":", 1) for line in status.read_text().splitlines())
    names = {"now": "VmRSS", "peak": "VmHWM", "anonymous": "RssAnon", "data": "VmData"}
    return {name: int(rows[row].split()[0]) * 1024 / 1e6 for name, row in names.items() if row in rows}


def forget_peak() -> None:
    """Let the peak begin anew; elsewhere than on Linux it stays that of the whole process."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _processor() -> str:
    rows = (line.partition(":") for line in (_CPUINFO.read_text() if _CPUINFO.exists() else "").splitlines())
    return next((value.strip() for name, _, value in rows if name.strip() == "model name"), "")


def _memory_gb() -> int | None:
    if not _MEMINFO.exists():
        return None
    return round(int(_MEMINFO.read_text().split()[1]) * 1024 / 1e9)  # the first row: MemTotal, in kB


def _accelerator() -> str | None:
    """The name of NVIDIA's card, if there is one."""
    if shutil.which("nvidia-smi") is None:
        return None
    return _said("nvidia-smi", "--query-gpu=name", "--format=csv,noheader") or None


def _said(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)  # noqa: S603 - no input
        return done.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
