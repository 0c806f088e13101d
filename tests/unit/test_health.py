from __future__ import annotations

import json
import os
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from imgclf import Dataset, health
from imgclf.errors import ImageError, OptionError
from imgclf.health import copies
from imgclf.sources import ArraySource, DrawnPets, FilenameSource, FolderSource, Samples

PETS = DrawnPets(160, seed=11, image_size=(64, 72))
PICTURES = np.stack([PETS.read(key) for key in PETS.samples().keys])
LABELS = PETS.samples().labels


class Given:
    """A source of the pictures in a list; an exception in the list is raised."""

    def __init__(self, pictures, labels, class_names=("cat", "dog"), keys=None):
        self.pictures, self.labels, self.class_names = list(pictures), labels, class_names
        self.keys = keys or [f"{i}" for i in range(len(self.pictures))]

    def samples(self):
        return Samples(self.keys, self.labels)

    def read(self, key):
        picture = self.pictures[self.keys.index(key)]
        if isinstance(picture, BaseException):
            raise picture
        return picture


def pets(start, stop, **options):
    """Pictures of both classes: as many dogs as cats."""
    chosen = [*range(start, stop), *range(80 + start, 80 + stop)]
    return Given([PICTURES[k] for k in chosen], [int(LABELS[k]) for k in chosen], **options)


def found(report):
    return {finding.check: finding for finding in report.findings}


def rows(report, check):
    return list(found(report)[check].pictures)


@pytest.mark.promise("health", "A healthy set is called healthy: no findings where nothing is wrong.")
def test_a_healthy_set_has_no_findings():
    report = health.check(train=pets(0, 30), validation=pets(30, 55), test=pets(55, 80))
    assert report.findings == ()
    assert (report.ok, report.exit_code, report.count) == (True, 0, 160)
    assert str(report).startswith("health of 160 pictures: 0 errors, 0 warnings, 0 notes\n")


def test_the_classes_are_counted_and_measured():
    report = health.check(ArraySource(PICTURES[[0, 1, 80]], [0, 0, 1], ["cat", "dog"]))
    first = report.classes.records()[0]
    assert {key: first[key] for key in ("source", "class", "pictures", "unreadable", "height", "width", "grey")} == {
        "source": "the set", "class": "cat", "pictures": 2, "unreadable": 0, "height": 64, "width": 72, "grey": "0 %",
    }  # fmt: skip
    assert first["brightness"] == pytest.approx((PICTURES[:2] @ np.array([0.299, 0.587, 0.114])).mean(), abs=1)


@pytest.mark.promise("health", "A picture that cannot be read is listed with its cause, never raised.")
@pytest.mark.parametrize(
    "error", [ImageError("it is damaged"), OSError("gone"), KeyError("x"), MemoryError(), RecursionError("deep")]
)
def test_what_cannot_be_read_is_listed(error):
    report = health.check(Given([*PICTURES[:9], error], [0] * 5 + [1] * 5))
    assert report.exit_code == 4
    (finding,) = report.of("unreadable")
    assert finding.pictures == (("9",),)
    assert str(error) in finding.reasons[0]
    assert f"'9': {finding.reasons[0]}" in str(report)
    assert report.to_dict()["findings"][0]["reasons"] == list(finding.reasons)
    assert report.classes.records()[1]["unreadable"] == 1


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8), None, "text"]
)
def test_what_is_no_picture_is_listed(pixels):
    report = health.check(Given([*PICTURES[:9], pixels], [0] * 5 + [1] * 5))
    assert len(rows(report, "unreadable")) == 1


def test_a_class_of_which_nothing_can_be_read_is_an_error():
    report = health.check(Given([*PICTURES[:4], OSError("gone")], [0, 0, 0, 0, 1]))
    assert "'dog'" in found(report)["empty_class"].what


@pytest.mark.promise("health", "The same picture in two sources is an error, a near copy a warning; both are named.")
def test_leaks_are_found():
    train, test = pets(0, 30), pets(30, 40)
    test.pictures[3] = train.pictures[7].copy()
    test.pictures[5] = np.asarray(Image.fromarray(train.pictures[8][:, ::-1]).resize((60, 60)))
    report = health.check(train=train, test=test)
    assert report.exit_code == 4
    assert rows(report, "exact_leak") == [("train: 7", "test: 3")]
    assert rows(report, "near_leak") == [("train: 8", "test: 5")]
    assert found(report)["near_leak"].severity == "warning"
    assert "near_leak" not in found(health.check(train=train, test=test, near=False))


def test_a_leak_between_the_second_and_third_source_is_found_too():
    train, validation, test = pets(0, 30), pets(30, 40), pets(40, 50)
    test.pictures[0] = validation.pictures[0] = train.pictures[0]
    report = health.check(train=train, validation=validation, test=test)
    leaks = [finding.pictures for finding in report.of("exact_leak")]
    assert sorted(leaks) == [
        (("train: 0", "test: 0"),),
        (("train: 0", "validation: 0"),),
        (("validation: 0", "test: 0"),),
    ]


@pytest.mark.promise("health", "The same picture under two labels is an error, whether in one source or in two.")
def test_one_picture_under_two_labels():
    train = pets(0, 30)
    train.pictures[40] = train.pictures[2]  # a cat among the dogs
    train.pictures[41] = np.asarray(Image.fromarray(train.pictures[3]).resize((50, 50)))
    train.pictures[42] = train.pictures[4][:, ::-1]  # an arrow to the left is no arrow to the right
    report = health.check(train)
    assert rows(report, "two_labels") == [("2 (cat)", "40 (dog)")]
    assert rows(report, "two_labels_near") == [("3 (cat)", "41 (dog)")]
    assert found(report)["two_labels"].severity == "error"
    assert found(report)["two_labels_near"].severity == "warning"
    assert "look alike, under two labels" in found(report)["two_labels_near"].what
    assert "near_duplicates" not in found(report)
    assert "near_leak" not in found(health.check(train=pets(0, 10), test=Given([PICTURES[3][:, ::-1]], [1])))
    other = Given([train.pictures[5]], [0], ("dog", "cat"))
    assert rows(health.check(train=pets(0, 30), other=other), "two_labels") == [("train: 5 (cat)", "other: 0 (dog)")]


def test_labels_are_compared_by_name_and_not_by_number():
    turned = Given(PICTURES[[0, 80]], [1, 0], ("dog", "cat"))
    assert "two_labels" not in found(health.check(train=pets(0, 30), test=turned))


def test_duplicates_within_a_source():
    given = pets(0, 30)
    given.pictures[1] = given.pictures[2] = given.pictures[0]
    given.pictures[3] = np.asarray(Image.fromarray(given.pictures[4]).resize((50, 50)))
    report = health.check(given)
    assert rows(report, "exact_duplicates") == [("0", "1", "2")]
    assert found(report)["exact_duplicates"].what.endswith("2 of 60")
    assert rows(report, "near_duplicates") == [("3", "4")]
    assert report.exit_code == 3


@pytest.mark.parametrize("sources", [1, 2])
def test_thousands_of_equal_pictures_are_walked_through_once(sources):
    """Each with each would be 128 million comparisons: half a minute."""

    class Counted(np.ndarray):
        looked_up = 0

        def __getitem__(self, at):
            Counted.looked_up += 1
            return super().__getitem__(at)

    count = 4000
    facts = SimpleNamespace(
        sources=("a", "b")[:sources],
        source=(np.arange(count, dtype=np.int32) % sources).view(Counted),
        named=str,
    )
    members = copies._members(np.zeros(count, np.int64))
    found = list(copies._leaks(facts, members, members))
    assert Counted.looked_up <= 3 * count
    assert sum(len(one.pictures) for one in found) == (3999 if sources == 2 else 0)


def test_odd_pictures_are_listed():
    rng = np.random.default_rng(0)
    noise, faint = rng.integers(0, 256, (200, 30, 3), np.uint8), rng.integers(90, 94, (64, 72, 3), np.uint8)
    odd = {
        "blank": np.full((64, 72, 3), (200, 10, 10), np.uint8),
        "nearly blank": faint,
        "dark": PICTURES[30] // 40,
        "tiny": PICTURES[31][:9, :9],
        "long": noise,
    }
    report = health.check(Given([*PICTURES[:10], *odd.values()], [0] * 8 + [1] * 7, keys=[*"0123456789", *odd]))
    assert {name: rows(report, name) for name in ("blank", "tiny", "dark_or_bright", "odd_shape")} == {
        "blank": [("blank",), ("nearly blank",)],
        "tiny": [("tiny",)],
        "dark_or_bright": [("dark",)],
        "odd_shape": [("long",)],
    }


def test_small_pictures_among_small_ones_are_not_tiny():
    digits = np.random.default_rng(0).integers(0, 256, (60, 28, 28), np.uint8)
    assert health.check(ArraySource(digits, [0, 1] * 30)).findings == ()


def test_a_huge_picture_is_noted():
    huge = np.random.default_rng(0).integers(0, 256, (5100, 5100, 1), np.uint8)
    assert rows(health.check(Given([*PICTURES[:4], huge], [0, 0, 1, 1, 1])), "huge") == [("4",)]


@pytest.fixture
def folder(tmp_path):
    for name, start in (("cat", 0), ("dog", 80)):
        (tmp_path / name).mkdir()
        for k in range(start, start + 6):
            Image.fromarray(PICTURES[k]).save(tmp_path / name / f"{k}.png")
    return tmp_path


def test_files_are_looked_at_as_files(folder):
    Image.fromarray(PICTURES[20]).save(folder / "cat" / "really.jpg", "PNG")
    frames = [Image.fromarray(PICTURES[k]) for k in (21, 22)]
    frames[0].save(folder / "cat" / "two.gif", save_all=True, append_images=frames[1:])
    (folder / "cat" / "broken.jpg").write_bytes((folder / "cat" / "0.png").read_bytes()[:900])
    (folder / "dog" / "notes.txt").write_text("no picture")
    (folder / "dog" / ".hidden.png").write_text("no picture")
    report = health.check(FolderSource(folder))
    assert rows(report, "wrong_suffix") == [("cat/really.jpg: PNG",)]
    assert rows(report, "several_frames") == [("cat/two.gif",)]
    assert rows(report, "ignored") == [("dog/notes.txt: not a picture",)]
    assert [row[0].endswith("cat/broken.jpg") for row in rows(report, "unreadable")] == [True]


def test_the_files_of_a_source_of_ones_own_are_its_own(tmp_path):
    class Own(Given):
        root = tmp_path

    Image.fromarray(PICTURES[0]).save(
        tmp_path / "0", "GIF", save_all=True, append_images=[Image.fromarray(PICTURES[1])]
    )
    assert health.check(Own(PICTURES[[0, 1, 80, 81]], [0, 0, 1, 1])).findings == ()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (SimpleNamespace(class_names=("a", "b"), samples=lambda: [("x", 0)], read=len), r"samples\(\) gave a list"),
        (Given(PICTURES[:2], [0, 1], "ab"), "class_names of train are 'ab'; expected several texts"),
        (Given(PICTURES[:2], [0, 1], ("a", "a")), "each different"),
        (Given(PICTURES[:2], [0, 1], ("a", 3)), "expected several texts"),
    ],
)
def test_a_source_is_checked_as_a_set_checks_it(given, said):
    for take in (lambda: health.check(train=given), lambda: Dataset.load(given, image_size=(8, 8))):
        with pytest.raises(OptionError, match=said.replace("train", ".*")):
            take()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_put_in_place_of_a_picture_hangs_nothing(folder):
    source = FolderSource(folder)
    (folder / "cat" / "3.png").unlink()
    os.mkfifo(folder / "cat" / "3.png")
    (folder / "dog" / "83.png").unlink()
    assert len(rows(health.check(source), "unreadable")) == 2


def test_the_first_source_has_the_class_names():
    other = Given(PICTURES[[30, 110, 111]], [0, 1, 2], ("Cat", "brid", "dog "))
    report = health.check(train=pets(0, 30), test=other)
    assert found(report)["class_spelling"].what == (
        "class names of 'test' and 'train' differ only in case, spaces or Unicode form: 'Cat' and 'cat'; "
        "'dog ' and 'dog'."
    )
    assert "'brid'" in found(report)["unknown_class"].what
    assert report.exit_code == 4


def test_a_missing_class_is_a_warning_and_an_empty_unknown_one_is_nothing():
    only = Given(PICTURES[40:44], [0] * 4, ("cat", "dog"))
    report = health.check(train=pets(0, 30), test=only)
    assert "'dog'" in found(report)["missing_class"].what
    assert found(report)["missing_class"].severity == "warning"
    assert "unknown_class" not in found(health.check(train=only, test=Given(PICTURES[50:52], [0, 0], ("cat", "cow"))))


def test_unlabelled_pictures_have_no_classes_to_lack():
    report = health.check(train=pets(0, 30), test=ArraySource(PICTURES[30:50]))
    assert report.findings == ()
    some = Given(PICTURES[:6], [0, 0, 1, 1, -1, -1])
    assert rows(health.check(some), "unlabelled") == [("4",), ("5",)]


def test_labels_that_stand_for_no_class():
    report = health.check(Given(PICTURES[:6], [0, 0, 1, 1, 2, -5]))
    assert rows(report, "strange_labels") == [("4: label 2",), ("5: label -5",)]


@pytest.mark.parametrize(("dogs", "severity"), [(15, None), (9, "note"), (2, "warning")])
def test_imbalance(dogs, severity):
    given = Given([*PICTURES[:30], *PICTURES[80 : 80 + dogs]], [0] * 30 + [1] * dogs)
    finding = found(health.check(given)).get("imbalance")
    assert (finding.severity if finding else None) == severity


def test_one_class_or_one_picture_is_said():
    assert "one_class" in found(health.check(Given(PICTURES[:4], [0] * 4, ("cat",))))
    assert "single_picture" in found(health.check(Given(PICTURES[:4], [0, 0, 0, 1])))
    assert "empty" in found(health.check(Given([], [])))


def test_what_gives_the_class_away_is_said():
    brighter = [*PICTURES[:40], *(PICTURES[80:120] // 2 + 120)]
    assert "'cat' is darker" in found(health.check(Given(brighter, [0] * 40 + [1] * 40)))["brightness_by_class"].what
    larger = [*PICTURES[:40], *(picture[:40, :44] for picture in PICTURES[80:120])]
    assert "'cat' is larger" in found(health.check(Given(larger, [0] * 40 + [1] * 40)))["size_by_class"].what
    grey = [*PICTURES[:40], *(picture[..., :1] for picture in PICTURES[80:120])]
    report = health.check(Given(grey, [0] * 40 + [1] * 40))
    assert found(report)["colour_by_class"].severity == "warning"
    assert len(rows(report, "mixed_colour")) == 40


def test_a_brighter_source_is_a_warning():
    darker = Given(PICTURES[40:80] // 2, [0] * 40)
    report = health.check(train=pets(0, 40), test=darker)
    assert found(report)["brightness_by_source"].what.startswith("'test' is darker than 'train': ")


def test_sources_come_by_position_by_name_or_in_a_mapping():
    one, two = pets(0, 5), pets(5, 10)
    assert health.check(one).sources == ("the set",)
    assert health.check(one, two).sources == ("set 1", "set 2")
    assert health.check(one, test=two).sources == ("set 1", "test")
    assert health.check({"near": one, "b": two}).sources == ("near", "b")


@pytest.mark.parametrize("given", [(), ("pets",), (FolderSource,), ({"train": 3},)])
def test_what_is_no_source_is_refused(given):
    with pytest.raises(OptionError, match="expected"):
        health.check(*given)


@pytest.mark.promise("health", "Names of files, classes and sources cannot reach the terminal's controls.")
def test_hostile_names_are_shown_harmless(tmp_path):
    evil = "\x1b[2J\u202egpj.exe\n"
    keys = [f"{evil}{k}" for k in range(6)]
    given = Given([*PICTURES[:4], PICTURES[0], OSError(evil)], [0, 0, 0, 1, 1, 1], (evil, "dog"), keys)
    report = health.check({evil: given, "b": Given(PICTURES[5:7], [0, 1], (evil.upper(), "dog"))})
    shown = str(report) + str(report.table()) + report._repr_html_()
    assert not any(char in shown for char in "\x1b\u202e")
    assert {"two_labels", "unreadable", "class_spelling"} <= found(report).keys()
    assert all(line.startswith(("health", "source", "ERROR", "WARNING", "NOTE", " ", "b ", "\\x1b")) or not line for line in str(report).splitlines())  # fmt: skip # noqa: E501
    written = json.loads(report.to_json(tmp_path / "health.json").read_text("utf-8"))
    assert written == report.to_dict()


def test_names_that_utf_8_cannot_write_are_written_all_the_same(tmp_path):
    given = Given(PICTURES[[0, 0]], [0, 1], keys=["caf\udce9.jpg", "b"])
    report = health.check(given)
    assert "caf\\udce9.jpg (cat)" in report.to_json(tmp_path / "h.json").read_text("utf-8").replace("\\\\", "\\")


def test_the_report_says_the_same_in_every_form(tmp_path):
    given = pets(0, 30)
    given.pictures[1] = given.pictures[0]
    report = health.check(given)
    assert report.table().records() == [
        {"severity": "warning", "check": "exact_duplicates", "pictures": 1, "what": report.findings[0].what}
    ]
    content = json.loads(report.to_json(tmp_path / "health.json").read_text("utf-8"))
    assert (content["exit_code"], content["pictures"], content["sources"]) == (3, 60, ["the set"])
    assert content["findings"][0]["pictures"] == [["0", "1"]]
    assert content["classes"][0]["class"] == "cat"
    text = str(report)
    assert "WARNING exact copies of other pictures within 'the set': 1 of 60\n          0  =  1\n        → " in text
    assert "exact_duplicates" in report._repr_html_()


def test_long_lists_are_cut_when_printed_and_whole_in_the_report():
    given = Given([PICTURES[0]] * 50 + [PICTURES[90]], [0] * 50 + [1])
    report = health.check(given)
    assert len(report.of("exact_duplicates")[0].pictures[0]) == 50
    assert "0  =  1  =  2  and 47 more" in str(report)


def test_errors_come_first():
    given = pets(0, 30)
    given.pictures[1], given.pictures[2], given.pictures[3] = given.pictures[0], OSError("gone"), PICTURES[5][..., :1]
    severities = [finding.severity for finding in health.check(given).findings]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    assert set(severities) == {"error", "warning", "note"}


def test_file_names_with_labels_work_too(tmp_path):
    PETS_8 = DrawnPets(8, seed=2, image_size=(48, 48))
    assert health.check(FilenameSource(PETS_8.write(tmp_path / "pets"))).findings == ()


def test_a_bar_is_shown_on_standard_error_only(capsys):
    health.check(ArraySource(PICTURES[:4], [0, 0, 1, 1]))
    assert capsys.readouterr().out == ""
