"""docs/documents.md says what was trained: no figure by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from benchmarks import claims, documents, documents_page

from imgclf import recipes

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_page_is_up_to_date():
    """Run ``python -m benchmarks.documents_page`` where this fails."""
    assert documents_page.PAGE.read_text(encoding="utf-8") == documents_page.page(documents_page.held())


def test_the_curves_are_up_to_date():
    drawn = documents_page.shown(documents_page.held())
    assert {path.stem for path in documents_page.CURVES.glob("*.svg")} == set(drawn)
    for recipe, run in drawn.items():
        assert documents_page.digest(run) in (documents_page.CURVES / f"{recipe}.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("document", claims.DOCUMENTS, ids=lambda document: document.name)
def test_the_example_promises_what_was_found(document):
    """Copy the sentence into the head of the example where this fails."""
    head = (EXAMPLES / f"{document.name}.py").read_text(encoding="utf-8").split('"""')[1]
    runs = documents_page.held().get(document.name, ())
    assert documents_page.expected(document, runs) in " ".join(head.split())


def test_every_recipe_is_on_the_page_once():
    named = [recipe for document in claims.DOCUMENTS for recipe in document.claims]
    assert sorted(named) == sorted(recipes.names()) == sorted(documents.RUNS)
    assert {documents.RUNS[recipe].document for recipe in named} == {document.name for document in claims.DOCUMENTS}


def run(recipe, seed, accuracy, **changes):
    history = {"loss": [0.7, 0.6], "accuracy": [0.5, 0.6], "val_loss": [0.6, 0.8], "val_accuracy": [0.6, accuracy]}
    counts = {"pictures": 1000, "fingerprint": "", "class_counts": {}}
    return {
        "recipe": recipe,
        "seed": seed,
        "history": history,
        "best_epoch": 2,
        "data": {"train": counts, "validation": counts, "test": counts},
        "test": {"accuracy": accuracy, "loss": 0.5},
        "image_size": [64, 64],
        "seconds": 60.0,
        "why": "",
        "trainer": recipes.get(recipe).to_dict(),
        "machine": {"cores": 2},
        "versions": {"keras": "3.15.1"},
        "commit": "abc",
        **changes,
    }


def test_seeds_are_averaged_with_spread_and_interval():
    text = documents_page.page({"small_data": [run("small_data_plain", 1, 0.70), run("small_data_plain", 2, 0.80)]})
    row = re.search(r"\| best validation accuracy \| 0\.7470 \| (.*) \|", text)[1]
    assert row == "**0.7500** ± 0.0707<br>0.7222 to 0.7758"  # Wilson's interval of 750 of 1,000
    assert "| epoch of the lowest validation loss | 8 | **1.0** ± 0.0 |" in text
    assert "Seeds 1, 2" in text
    assert text.count("no result is kept") == len(recipes.names()) - 1
    assert "| best validation accuracy | 0.8318 | – |" in text  # claims stand there without a run, too
    assert "Changed: 64×64 pixels" in text


def test_a_perfect_accuracy_is_no_whole_number():
    text = documents_page.page({"small_data": [run("small_data_plain", 1, 1.0)]})
    assert "| best validation accuracy | 0.7470 | **1.0000**<br>0.9962 to 1.0000 |" in text


def test_a_trial_cannot_become_a_result(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["documents", "nowhere", "--epochs", "1"])
    with pytest.raises(SystemExit):
        documents.main()
    assert "give another --out" in capsys.readouterr().err


def test_a_training_without_a_test_set_says_so():
    text = documents_page.page({"cat_dog_small": [run("cat_dog_small", 1, 0.7, test=None)]})
    assert "| test accuracy of the best epoch | – | no test set |" in text


@pytest.mark.parametrize("name", documents.RUNS)
def test_what_is_changed_has_its_reason(name):
    assert bool(documents.RUNS[name].changes) == bool(documents.RUNS[name].why)
    recipes.get(name, **documents.RUNS[name].changes)


def test_the_control_learns_from_exchanged_labels(tmp_path):
    from imgclf import DrawnPets

    for part in ("train", "validation", "test"):
        for name, layout in (("cat", "cats"), ("dog", "dogs")):
            pets = DrawnPets(8, image_size=(32, 32))
            folder = tmp_path / "dogs_vs_cats" / part / layout
            folder.mkdir(parents=True)
            for key in pets.samples().keys:
                if key.startswith(name):
                    from PIL import Image

                    Image.fromarray(pets.read(key)).save(folder / key)
    few, _, test = documents.exchanged(32)(tmp_path, tmp_path, 1)
    assert len(few) == 6
    assert [
        (str(key).split("/")[0], few.class_names[label]) for key, label in zip(few.keys, few.labels, strict=True)
    ] == [("cats", "dogs")] * 3 + [("dogs", "cats")] * 3
    assert [
        key.split("/")[0] == test.class_names[label] for key, label in zip(test.keys, test.labels, strict=True)
    ] == [True] * 8
