"""What stands on a page and in a model card is what was measured."""

from __future__ import annotations

import base64
import io
import itertools
import re
from dataclasses import replace

import keras
import numpy as np
import pytest
from PIL import Image
from report_pages import guesser, noise, pets, read_page, trained

from imgclf import health
from imgclf.classifier import Classifier
from imgclf.errors import DatasetError, OptionError
from imgclf.explainer.cam import suggested_method
from imgclf.report import write_comparison, write_report
from imgclf.report.subject import Part, Subject
from imgclf.report.views import cells, samples
from imgclf.sources import DrawnPets


def percent(share):
    return f"{100 * share:.1f} %"


@pytest.fixture(scope="module")
def sets():
    return pets()


@pytest.fixture(scope="module")
def run():
    return trained()


@pytest.fixture(scope="module")
def path(run, sets, tmp_path_factory):
    """A whole report."""
    train, validation, test = sets
    found = health.check(train=DrawnPets(4, image_size=(48, 48)), progress=False)
    target = tmp_path_factory.mktemp("report") / "pets.html"
    return write_report(
        target,
        run,
        validation=validation,
        train=train,
        test=test,
        health=found,
        command="imgclf train pets\n  --seed 42",
    )


@pytest.fixture(scope="module")
def page(path):
    return read_page(path)


def test_the_answer_comes_first(page, run, sets):
    """The accuracy on the test set with its interval, before all other figures."""
    evaluation = run.classifier.evaluate(sets[2])
    low, high = evaluation.accuracy_interval
    said = (
        f"{percent(evaluation.accuracy)} of {len(sets[2])} test pictures are named rightly; the 95\xa0% interval is "
        f"{percent(low)} to {percent(high)}."
    )
    assert said in page.text
    assert page.text.index(said) < page.text.index("Why believe it")
    assert f"Epoch {run.best_epoch} of 3 was the best on validation" in page.text
    assert "The best epoch was chosen by the validation pictures" in page.text


def test_the_figures_are_those_of_the_evaluation(page, run, sets):
    """Both sets' figures, the confusion matrix and the table per class."""
    test, validation = run.classifier.evaluate(sets[2]), run.classifier.evaluate(sets[1])
    for evaluation in (test, validation):
        assert f"{evaluation.loss:.4f}" in page.text
        assert percent(evaluation.accuracy) in page.text
    for row in test.per_class().records():
        assert percent(row["precision"]) in page.text
        assert percent(row["recall"]) in page.text
    labels = [value for value in page.values("aria-label", "a") if value]
    counts = {
        f"{test.confusion[true, said]} of {test.class_names[true]} answered {test.class_names[said]}: pictures"
        for true, said in np.argwhere(test.confusion)
    }
    assert set(labels) == counts


def test_every_cell_leads_to_its_pictures(page):
    """Each link of the page has its target, once; no two elements share an identifier."""
    ids, targets = page.values("id"), [link[1:] for link in page.values("href") if link]
    assert len(ids) == len(set(ids))
    assert set(targets) <= set(ids)
    assert any(target.startswith("cell-") for target in targets)


def test_pictures_are_small_and_carry_nothing(page, path):
    """JPEG or PNG of the pixels alone: no metadata; the page stays far below 2 MB, its pictures have a text each."""
    sources = page.values("src", "img")
    assert len(sources) > 20
    for source in sources:
        kind, text = re.fullmatch(r"data:image/(jpeg|png);base64,(.+)", source).groups()
        with Image.open(io.BytesIO(base64.b64decode(text))) as image:
            assert image.format.lower() == kind
            assert max(image.size) <= 144
            assert not set(image.info) - {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert all(page.values("alt", "img"))
    assert page.tags.count("img") == len(page.values("alt", "img"))
    assert path.stat().st_size < 700_000


def test_headings_go_down_one_by_one(page):
    """One h1, then h2 and h3 in order: what a screen reader walks along."""
    levels = [int(tag[1]) for tag in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert page.values("lang", "html") == ["en"]


def test_recipe_environment_and_command_are_there(page, run):
    """What it takes to make it again."""
    assert "imgclf train pets\n  --seed 42" in page.text
    assert keras.__version__ in page.text
    assert "learning_rate" in page.text
    assert "dogs_vs_cats" in page.text
    assert "is equal to a training picture, pixel by pixel" in page.text


def test_the_same_input_gives_the_same_bytes(path, run, sets, tmp_path):
    """Page and card, and the comparison."""
    train, validation, test = sets
    found = health.check(train=DrawnPets(4, image_size=(48, 48)), progress=False)
    again = write_report(
        tmp_path / "pets.html",
        run,
        validation=validation,
        train=train,
        test=test,
        health=found,
        command="imgclf train pets\n  --seed 42",
    )
    assert again.read_bytes() == path.read_bytes()
    assert again.with_suffix(".md").read_bytes() == path.with_suffix(".md").read_bytes()


def test_the_card_has_the_figures(path, run, sets):
    """The front matter is YAML of known fields, and no licence or dataset is made up."""
    text = path.with_suffix(".md").read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    assert "license" not in front
    assert "datasets:" not in front
    assert "library_name: keras\npipeline_tag: image-classification\n" in front
    values = [float(value) for value in re.findall(r"- type: accuracy\n +value: (.+)", front)]
    evaluations = [run.classifier.evaluate(sets[2]), run.classifier.evaluate(sets[1])]
    assert values == [evaluation.accuracy for evaluation in evaluations]
    low, high = evaluations[0].accuracy_interval
    assert f"95 % interval {percent(low)} to {percent(high)}" in body
    assert "Classifier.load(" in body
    assert f"| cat | {sets[0].class_counts()['cat']} |" in body


def test_the_front_matter_is_yaml(path):
    """Read by a parser of YAML."""
    yaml = pytest.importorskip("yaml")
    front = yaml.safe_load(path.with_suffix(".md").read_text(encoding="utf-8").split("---\n")[1])
    assert front["model-index"][0]["results"][0]["dataset"]["split"] == "test"
    assert front["metrics"] == ["accuracy"]


def test_a_classifier_alone_has_no_curves(run, sets, tmp_path):
    """And what is not known is said to be so."""
    bare = replace(run.classifier, provenance={})
    page = read_page(write_report(tmp_path / "a.html", bare, validation=sets[1]))
    assert "Training figures are means" not in page.text
    assert "It is not recorded by which pictures the classifier was chosen." in page.text
    assert "The training pictures were not given" in page.text
    assert "The data was not checked" in page.text
    assert "Neither a command nor a recipe is known." in page.text


def test_without_a_test_set_the_choice_is_held_against_it(run, sets, tmp_path):
    """Validation figures lead, and are said to be too good."""
    page = read_page(write_report(tmp_path / "a.html", run, validation=sets[1], title="Mine"))
    assert "The best epoch was chosen by these same pictures" in page.text
    assert "No test set was measured." in page.text
    assert page.text.count("Mine") == 2  # title and heading


def test_leaks_and_other_sets_are_seen(run, sets, tmp_path):
    """Training pictures among the measured ones; a validation set that is not the run's."""
    leaking = sets[1].take(np.arange(len(sets[1])))
    page = read_page(
        write_report(tmp_path / "a.html", run, validation=sets[2], train=leaking, test=leaking.take([0, 1, 29]))
    )
    assert "3 pictures of these were trained on" in page.text
    assert "not those by which the best epoch was chosen" in page.text
    assert "training pictures given are not those of the run" in page.text
    assert "are few: the interval is" in page.text


def test_samples_are_what_the_run_saw(run, sets):
    """The very pictures of the first passes, by seed, pass and position."""
    shown = samples(Subject.of(run), sets[0])
    first = shown[0].versions
    assert [one.said for one in first] == ["original", "pass 1", "pass 2", "pass 3"]
    position = int(np.flatnonzero(sets[0].keys == first[0].key)[0])
    trainer = run.provenance["trainer"]
    drawn = Image.open(io.BytesIO(base64.b64decode(first[2].picture.uri.partition(",")[2])))
    augmentation, image = Subject.of(run).augmentation, sets[0].pictures([position])
    passes = [augmentation(image, seed=trainer["seed"], epoch=number, indices=[position])[0] for number in range(4)]
    far = [np.abs(np.asarray(drawn, dtype=int) - seen).mean() for seen in passes]
    assert far[1] < 0.6 * min(far[0], *far[2:])  # not 0: the page holds a JPEG
    assert {one.name for one in shown} == {"cat", "dog"}


def test_many_classes_are_listed_not_drawn(tmp_path):
    """Pictures are capped in all; of 30 classes the matrix is left out, and both are said."""
    names = [f"class {number}" for number in range(30)]
    data = noise(names, count=600)
    part = Part.measured("validation", data, guesser(names))
    shown = sum(len(cell.shown) for row in cells(part) for cell in row)
    assert 0 < shown <= 240
    page = read_page(write_report(tmp_path / "a.html", guesser(names), validation=data))
    assert "A matrix of so many classes is not drawn" in page.text
    assert "more kinds of mistake are not shown" in page.text
    assert (tmp_path / "a.html").stat().st_size < 2_000_000


def test_a_perfect_classifier_has_no_mistakes(tmp_path):
    """Nothing to explain, and no cell of mistakes."""
    names = ("cat", "dog")
    classifier, data = guesser(names), noise(names)
    said = classifier.predict(data).labels
    agreeing = replace(data, labels=said)
    page = read_page(write_report(tmp_path / "a.html", classifier, validation=agreeing))
    assert "There are none." in page.text
    assert "cat taken for dog" not in page.text


def test_a_network_that_cannot_be_explained_is_still_reported(tmp_path, monkeypatch):
    """The reason stands where the maps would."""
    from imgclf.report import mistakes

    def refuse(*_):
        raise OptionError("no <logit> here")

    monkeypatch.setattr(mistakes, "Explainer", refuse)
    page = read_page(write_report(tmp_path / "a.html", guesser(("cat", "dog")), validation=noise(("cat", "dog"))))
    assert "There are no maps: no <logit> here" in page.text


def test_the_method_suits_the_network(run):
    """HiResCAM where maps are flattened, Grad-CAM where they are pooled."""
    assert suggested_method(run.classifier.model) == "hires_cam"
    pooled = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(2, 3),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2),
        ]
    )
    assert suggested_method(pooled) == "grad_cam"


def test_what_cannot_be_reported_is_refused(run, sets, tmp_path):
    """What arrived, what was expected, what to do."""
    good = {"validation": sets[1]}
    for arguments, said in (
        ((tmp_path / "a.pdf", run), "expected '.html'"),
        ((tmp_path / "a.html", sets[0]), "expected a TrainingRun or a Classifier"),
    ):
        with pytest.raises(OptionError, match=said):
            write_report(*arguments, **good)
    for options, error, said in (
        ({"validation": "pets"}, OptionError, "Make one with Dataset.load"),
        ({**good, "train": "pets"}, OptionError, "train is a str; expected a Dataset"),
        ({**good, "train": noise(("cat", "dog"))}, OptionError, "Load it with the same image_size"),
        ({**good, "health": "fine"}, OptionError, "expected what imgclf.health.check returned"),
        ({"validation": noise(("cat", "dog"))}, OptionError, "image_size"),
        ({"validation": sets[1].take([])}, DatasetError, "nothing to evaluate"),
    ):
        with pytest.raises(error, match=said):
            write_report(tmp_path / "a.html", run, **options)
    assert list(tmp_path.iterdir()) == []


def test_two_runs_side_by_side(run, sets, tmp_path):
    """The verdict, the test, what differs, and the pictures that one alone names rightly."""
    layers = run.classifier.model.get_weights()
    other = keras.models.clone_model(run.classifier.model)
    other.set_weights([np.zeros_like(weight) for weight in layers])
    trained_otherwise = {**run.provenance, "trainer": {**run.provenance["trainer"], "seed": 7}}
    blind = Classifier(other, run.classifier.class_names, run.classifier.spec, trained_otherwise)
    page = read_page(write_comparison(tmp_path / "a.html", run, blind, data=sets[2], names=("seeing", "blind")))
    one, two = run.classifier.evaluate(sets[2]), blind.evaluate(sets[2])
    alone, other_alone = int((one.correct & ~two.correct).sum()), int((two.correct & ~one.correct).sum())
    assert f"seeing alone is right on {alone} pictures, blind alone on {other_alone}" in page.text
    assert percent(one.accuracy) in page.text
    assert percent(two.accuracy) in page.text
    assert "McNemar's exact test" in page.text
    assert re.search(r"seed\s*42\s*7", page.text)
    assert "Only seeing is right" in page.text


def test_a_comparison_warns_of_the_set_chosen_by(run, sets, tmp_path):
    """Validation pictures flatter the run that was chosen by them; equal networks are not told apart."""
    page = read_page(write_comparison(tmp_path / "a.html", run, run, data=sets[1]))
    assert "The best epoch of first was chosen by these very pictures" in page.text
    assert "Nothing shows that one is better" in page.text
    assert "On no picture is one right and the other wrong." in page.text
    assert "No recorded setting differs." in page.text
    page = read_page(write_comparison(tmp_path / "a.html", run, run, data=sets[0]))
    assert "first was trained on these very pictures" in page.text


def test_comparisons_that_make_no_sense_are_refused(run, sets, tmp_path):
    """Names and classes."""
    for names in ("ab", ("a", "a"), ("a",)):
        with pytest.raises(OptionError, match="expected two different ones"):
            write_comparison(tmp_path / "a.html", run, run, data=sets[1], names=names)
    with pytest.raises(OptionError, match="Compare classifiers of the same classes"):
        write_comparison(tmp_path / "a.html", guesser(("a", "b")), guesser(("a", "c")), data=noise(("a", "b")))


def test_an_unfinished_run_says_so(run, sets, tmp_path):
    """Fewer epochs than the recipe wants; and a best epoch that is the last of all."""
    begun = replace(run, history={name: values[:1] for name, values in run.history.items()}, best_epoch=1)
    page = read_page(write_report(tmp_path / "a.html", begun, validation=sets[1]))
    assert "The run is not finished: 1 of 3 epochs are trained." in page.text
    last = replace(run, best_epoch=3)
    page = read_page(write_report(tmp_path / "a.html", last, validation=sets[1]))
    assert "The best epoch is the last, 3" in page.text


def test_boasting_and_guessing_are_held_against_it(tmp_path):
    """A network that always says cat, and is very sure: as good as one answer, more sure than right, no dog found."""
    boaster, data = guesser(("cat", "dog")), noise(("cat", "dog"), count=60)
    shapes = [weight.shape for weight in boaster.model.get_weights()]
    boaster.model.set_weights([*(np.zeros(shape) for shape in shapes[:-1]), np.array([3.0, 0.0])])
    text = read_page(write_report(tmp_path / "a.html", boaster, validation=data)).text
    assert "Always answering cat would be right in 50.0 %: nothing shows that the network is better than that." in text
    assert "On average it is 95.3 % sure and right in 50.0 %: more sure than right" in text
    assert "The weakest class, dog, is recognised in 0.0 % of its pictures" in text
    assert "clearly less than the whole" in text
