"""The three laws of docs/design.md, checked on the source text, and the check checked on planted violations."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "imgclf"

# Data order = reading order = import order: each module imports only from those above it.
ORDER = [
    "errors",
    "files",
    "processor",
    "backend_choice",
    "state_file",
    "run_folder",
    "tables",
    "archive",
    "formats",
    "skeleton",
    "pillow_settings",
    "decoding",
    "opening",
    "images",
    "figure",
    "plots",
    "sources",
    "source_spec",
    "recognition",
    "class_contract",
    "store",
    "duplicates",
    "grouping",
    "splitting",
    "dataset",
    "inputs",
    "health",
    "transform",
    "augmentation",
    "evaluation",
    "label_errors",
    "_backend",
    "taps",
    "endings",
    "head",
    "batches",
    "architectures",
    "weights",
    "manifest",
    "model_file",
    "export",
    "classifier",
    "checkpoints",
    "interrupts",
    "recorder",
    "runs",
    "fusing",
    "run_bar",
    "fitting",
    "settings",
    "trainer",
    "recipes",
    "estimator",
    "ejecting",
    "jobs",
    "planning",
    "cross_validation",
    "explainer",
    "report",
    "demo",
    "cli",
]
KERAS_FREE = ORDER[: ORDER.index("_backend")]
BACKENDS = {"tensorflow", "jax", "torch"}


def files(module, source=SOURCE):
    path = source / module
    return sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


def imported(path, source=SOURCE):
    """Outside packages, and modules of ours as ``.name``, that *path* imports anywhere, functions included."""
    depth = len(path.relative_to(source).parts)  # 1 for a module, 2 for a member of a folder
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            found |= {name.split(".")[0] for name in names if not name.startswith("imgclf")}
            found |= {"." + name.split(".")[1] for name in names if name.startswith("imgclf.")}
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0 and not (node.module or "").startswith("imgclf"):
                found.add((node.module or "").split(".")[0])
            elif node.level in (0, depth):  # from the package's root
                module = (node.module or "").removeprefix("imgclf").strip(".")
                found |= {"." + name.split(".")[0] for name in ([module] if module else [a.name for a in node.names])}
    return found


def violations(module, source=SOURCE):
    """What *module* imports against the laws, a sentence each."""
    above = ORDER[: ORDER.index(module)]
    for path in files(module, source):
        for name in sorted(imported(path, source)):
            if name.startswith(".") and name[1:] != module and name[1:] not in above:
                yield f"{path.name} imports {name}, which does not stand above {module}"
            if name in BACKENDS and module != "_backend":
                yield f"{path.name} names {name}, which only _backend may"
            if name == "keras" and module in KERAS_FREE:
                yield f"{path.name} of the data half imports keras"


@pytest.mark.parametrize("module", ORDER)
def test_imports_follow_the_laws(module):
    """Each module imports only from above; the data half has no Keras; only _backend names a backend."""
    assert list(violations(module)) == []


def test_every_module_has_its_place():
    """A new module must be put in the list, and a removed one taken out."""
    present = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert present - {"__init__"} == set(ORDER)


@pytest.mark.parametrize(
    ("module", "line", "said"),
    [
        ("images", "from .dataset import Dataset", "does not stand above images"),
        ("images", "def f():\n    from .trainer import Trainer", "does not stand above images"),
        ("images", "import imgclf.trainer", "does not stand above images"),
        ("images", "from imgclf.trainer import Trainer", "does not stand above images"),
        ("images", "from . import trainer", "does not stand above images"),
        ("images", "def f():\n    import keras", "data half imports keras"),
        ("images", "from keras.layers import Dense", "data half imports keras"),
        ("trainer", "import torch.nn", "only _backend may"),
        ("trainer", "def f():\n    from tensorflow import data", "only _backend may"),
        ("sources", "from ..trainer import Trainer", "does not stand above sources"),
        ("sources", "def f():\n    import jax", "only _backend may"),
    ],
)
def test_planted_violations_are_found(tmp_path, module, line, said):
    """The check fails where it should: a check that cannot fail proves nothing."""
    path = tmp_path / module / "planted.py" if module == "sources" else tmp_path / f"{module}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(line)
    assert [said in violation for violation in violations(module, tmp_path)] == [True]


LIGHT = """
import sys, imgclf
imgclf.FolderSource, imgclf.Dataset, imgclf.Augmentation, imgclf.Evaluation
loaded = {"keras", "tensorflow", "jax", "torch", "sklearn", "scipy", "matplotlib"} & set(sys.modules)
sys.exit(", ".join(sorted(loaded)) or 0)
"""


def test_the_front_door_loads_nothing_heavy():
    """``import imgclf`` and the data half load neither Keras nor a backend, in a fresh process."""
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_front_door_shows_every_name():
    """The table of names, the imports for type checkers and what can be had are the same."""
    import imgclf

    tree = ast.parse((SOURCE / "__init__.py").read_text(encoding="utf-8"))
    shown = {
        (node.module, alias.asname)
        for branch in tree.body
        if isinstance(branch, ast.If)
        for node in branch.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    assert shown == {(module, name) for module, names in imgclf._HOMES.items() for name in names}
    assert all(getattr(imgclf, name) is not None for name in imgclf.__all__)
    assert set(dir(imgclf)) == set(imgclf.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Trianer'"):
        _ = imgclf.Trianer
