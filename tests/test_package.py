"""What is shipped: the wheel has every file of the package, the sdist what its tests need, and one version is said."""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "imgclf"


def included(kind):
    """The files that a build of *kind* takes along, by their places in it."""
    builders = pytest.importorskip("hatchling.builders." + kind)
    builder = {"wheel": "WheelBuilder", "sdist": "SdistBuilder"}[kind]
    found = getattr(builders, builder)(str(ROOT)).recurse_included_files()
    return {Path(file.distribution_path).as_posix() for file in found}


def tree(folder, below):
    """All files of *folder*, without caches, as paths from *below*."""
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(below).as_posix() for path in files}


def test_type_checkers_find_the_package_typed():
    """Installed in whatever way, the package has the mark of PEP 561."""
    assert resources.files("imgclf").joinpath("py.typed").is_file()


@pytest.mark.skipif(not PACKAGE.is_dir(), reason="tested without its source")
def test_the_wheel_has_every_file_of_the_package():
    """Templates and other data go along, and nothing that is not the package's."""
    assert included("wheel") == tree(PACKAGE, PACKAGE.parent)


@pytest.mark.skipif(not PACKAGE.is_dir(), reason="tested without its source")
def test_the_sdist_has_what_its_tests_need():
    """Tests, the scripts and pages that they run, and what they are configured by."""
    files = included("sdist")
    for folder in ("src", "tests", "benchmarks", "examples"):
        assert tree(ROOT / folder, ROOT) <= files
    assert {"CHANGELOG.md", "CITATION.cff", "docs/performance.md"} <= files  # README, LICENSE, pyproject.toml always go


def test_one_version_is_said_everywhere():
    """pyproject, the citation and the licence agree; a changelog has a place for what comes."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    said = dict(re.findall(r"^(version|license|cff-version): (.+)$", citation, re.MULTILINE))
    assert said == {"version": project["version"], "license": project["license"], "cff-version": "1.2.0"}
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text("utf-8")
