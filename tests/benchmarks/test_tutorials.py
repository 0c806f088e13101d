"""The tutorials show what their examples gave: no figure of another script, no line by hand."""

from __future__ import annotations

import json

import pytest
from benchmarks import tutorials

from imgclf.images import read_image


@pytest.mark.parametrize("name", tutorials.names())
def test_a_tutorial_shows_the_run_of_its_example(name):
    """Run ``python -m benchmarks.tutorials NAME`` where this fails, and look at the page."""
    run = json.loads((tutorials.PLACE / name / "run.json").read_text("utf-8"))
    text = tutorials.script(name)
    assert run["code"] == tutorials.digest(text), f"the code of {name} changed since its figures were made"
    assert len(run["blocks"]) == len(tutorials.code_blocks(text))
    shown = [figure for block in run["blocks"] for figure in block["figures"]]
    assert sorted(shown) == sorted(path.name for path in (tutorials.PLACE / name).glob("*.webp"))
    for figure in shown:
        assert read_image(tutorials.PLACE / name / figure).std() > 5


def test_no_results_of_an_example_that_is_gone():
    assert sorted(path.name for path in tutorials.PLACE.iterdir()) == sorted(tutorials.names())


def test_blocks_end_where_prose_begins():
    text = (
        '"""Head\n====\n"""\n\nimport os\n\n# %%\n# Title\n# -----\n# Prose.\na = 1  # why\n\n# only a comment\nb = 2\n'
    )
    assert [block.strip() for block in tutorials.code_blocks(text)] == [
        "import os",
        "a = 1  # why\n\n# only a comment\nb = 2",
    ]


def test_the_digest_is_of_the_code_alone():
    text = '"""Head."""\n\n# %%\n# Prose.\na = 1\n'
    assert tutorials.digest(text) == tutorials.digest(text.replace("Head", "Other").replace("Prose", "Others"))
    assert tutorials.digest(text) != tutorials.digest(text.replace("a = 1", "a = 2"))


def test_what_is_read_is_the_end_of_a_progress_bar():
    bar = "\x1b[1m {}/3\x1b[0m \x1b[32m━━━━\x1b[0m\x1b[37m━━\x1b[0m \x1b[1m0s\x1b[0m 3ms/step - loss: 0.{}"
    said = "Epoch 1/1\n" + "\n".join(bar.format(step, step) for step in (1, 2, 3)) + "\n\ndone\n"
    assert tutorials.as_read(said) == "Epoch 1/1\n3/3 - 0s 3ms/step - loss: 0.3\n\ndone"


def test_of_many_epochs_the_first_and_the_last_are_read():
    said = "\n".join(f"Epoch {epoch}/9\nloss {epoch}" for epoch in range(1, 10))
    lines = tutorials.as_read(said + "\nEpoch 1/2\nloss\nEpoch 2/2\nloss").split("\n")
    assert [line for line in lines if line.startswith(("Epoch", "…"))] == [
        *("Epoch 1/9", "Epoch 2/9", "… (5 more)", "Epoch 8/9", "Epoch 9/9"),
        *("Epoch 1/2", "Epoch 2/2"),
    ]
