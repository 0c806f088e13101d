"""What the examples gave, put into the pages that sphinx-gallery makes of them.

sphinx-gallery runs nothing here (that would take minutes): it makes a page of every file in ``examples/``, and this
extension adds after each block of code what ``python -m benchmarks.tutorials`` kept of its run.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from benchmarks.tutorials import EXAMPLES, PLACE, code_blocks, digest
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

FOLDER = "tutorials"
_CODE = re.compile(r"^\.\. code-block:: Python\n\n(?:(?: {4}.*)?\n)*", re.MULTILINE)
_OPTIONS = re.compile(r"^    parser = argparse.*?^    args = parser\.parse_args\(\)\n", re.MULTILINE | re.DOTALL)
_EXPECTED = re.compile(r"^Expected on .*?\n\n", re.MULTILINE | re.DOTALL)
_ORDER = {  # by document; the figure that stands for each
    "dogs_vs_cats": "grad_cam",
    "cat_dog_small": "augmented",
    "vgg16_explained": "feature_maps_accurate",
    "small_data": "curves_small_data_augmented",
    "mnist_csv": "mistakes",
}
_CARD = """
.. container:: tutorial-card

   .. image:: /results/tutorials/{name}/{figure}.webp
      :target: {name}.html

   :doc:`/tutorials/{name}`

   {intro}
"""
_FOOT = """
.. seealso::

   What the same training gives on photographs: :doc:`/documents`; where they come from: :doc:`/data`.

   :download:`{name}.py </../examples/{name}.py>` is this page as a script.
"""


def filled(name: str, page: str, run: dict[str, Any]) -> str:
    """The page with outputs and figures, without what only a script needs."""
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    if run["code"] != digest(text):
        raise ExtensionError(f"examples/{name}.py changed since its figures were made: python -m benchmarks.tutorials")
    blocks = iter(run["blocks"])
    page = page[page.index(".. rst-class:: sphx-glr-example-title") :]  # the note before it leads to links at the end
    page = page[: page.index(".. _sphx_glr_download_")]
    page = _EXPECTED.sub("", _CODE.sub(lambda code: code[0] + _output(name, next(blocks)), page))
    if next(blocks, None) is not None or len(run["blocks"]) != len(code_blocks(text)):
        raise ExtensionError(f"{name}: the page has not as many blocks of code as the example.")
    plain = "    args = parser.parse_args()  # --data, --out and --fast: the script has their definitions\n"
    return _OPTIONS.sub(plain, page) + _FOOT.format(name=name)


def _output(name: str, block: dict[str, Any]) -> str:
    said = "\n".join(f"     {line}".rstrip() for line in block["said"].split("\n"))
    lines = [f"\n.. rst-class:: sphx-glr-script-out\n\n .. code-block:: none\n\n{said}\n"] if block["said"] else []
    for figure in block["figures"]:
        place, words = (PLACE / name / figure).relative_to(Path(__file__).parent), Path(figure).stem.replace("_", " ")
        lines.append(f"\n.. image:: /{place.as_posix()}\n   :alt: {words}\n   :class: tutorial-figure\n")
    return "".join(lines) + "\n"


def index(page: str) -> str:
    """The list of tutorials, in the documents' order, each with a figure and the first sentence of its head."""
    cards = [_CARD.format(name=name, figure=figure, intro=_intro(name)) for name, figure in _ORDER.items()]
    listed = "".join(f"   {name}\n" for name in _ORDER)
    head = page[: page.index(".. raw:: html")].replace(":orphan:\n", "")
    return f"{head}{''.join(cards)}\n.. toctree::\n   :hidden:\n\n{listed}"


def _intro(name: str) -> str:
    return " ".join((EXAMPLES / f"{name}.py").read_text(encoding="utf-8").split("\n\n")[1].split())


def _on_read(app: Sphinx, docname: str, content: list[str]) -> None:
    folder, _, name = docname.rpartition("/")
    kept = PLACE / name / "run.json"
    if (folder, name) == (FOLDER, "index"):
        content[0] = index(content[0])
    if folder != FOLDER or not kept.exists():
        return
    app.env.note_dependency(str(kept))
    content[0] = filled(name, content[0], json.loads(kept.read_text(encoding="utf-8")))


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to the reading of pages."""
    app.connect("source-read", _on_read)
    return {"parallel_read_safe": True}
