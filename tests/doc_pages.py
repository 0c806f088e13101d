"""The examples of a page of ``docs/``: found and run one after the other, as a reader would."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"


def blocks(page: str, language: str = "python") -> list[str]:
    """The code of a page in one language, block by block."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run(page: str, smaller: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a page's Python in the working folder; *smaller* replaces text, such as a number of epochs.

    Returns:
        The names that the page defined.
    """
    code = "\n".join(blocks(page))
    for text, other in (smaller or {}).items():
        assert text in code, f"{page} no longer says {text!r}"
        code = code.replace(text, other)
    names: dict[str, Any] = {}
    exec(compile(code, str(DOCS / page), "exec"), names)
    return names
