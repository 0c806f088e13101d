"""The pictures of the page on explanations: the script that makes them runs, and the page shows what it makes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from benchmarks import explaining
from PIL import Image

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.slow
def test_the_script_makes_the_pictures_of_the_page(tmp_path):
    explaining.main(tmp_path, count=40, epochs=1)
    shown = re.findall(r"\(results/explaining/(\w+\.png)\)", (DOCS / "explaining.md").read_text("utf-8"))
    assert sorted(shown) == sorted(path.name for path in tmp_path.glob("*.png"))
    for name in shown:
        picture = Image.open(tmp_path / name).convert("RGB")
        assert len(picture.getcolors(picture.width * picture.height) or ()) > 100, name
    figures = json.loads((tmp_path / "figures.json").read_text("utf-8"))
    said = (tmp_path / "networks.md").read_text("utf-8")
    assert f"{200 * figures['accuracy']['true labels']:.0f} of 200" in said


def test_the_page_says_what_was_found():
    figures = json.loads((explaining.PLACE / "figures.json").read_text("utf-8"))
    assert (explaining.PLACE / "networks.md").read_text("utf-8") == explaining.said("2,000", figures["accuracy"])
    assert figures["accuracy"]["true labels"] > 0.9
    assert 0.4 < figures["accuracy"]["shuffled labels"] < 0.6
    assert figures["gap"]["map"] > 5 * abs(figures["gap"]["random"])
    assert figures["left"] < 0.35
    assert (explaining.PLACE / "gaps.md").read_text("utf-8") == explaining.table(figures["gaps"], 40)
    for one_dense, two_dense in zip(figures["gaps"]["hires_cam"], figures["gaps"]["grad_cam"], strict=True):
        assert min(one_dense) > max(two_dense)  # as the page says: HiResCAM, wherever maps are flattened
