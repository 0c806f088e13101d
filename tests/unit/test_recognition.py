"""What a path is taken for: layouts that people have, made here, and opened by the sources that are named."""

import shutil
import zipfile

import pytest

from imgclf import DatasetError, DrawnPets, OptionError, UnknownNameError, recognise
from imgclf.source_spec import SourceSpec


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """Twelve pictures, ``cat.0.png`` and so on."""
    folder = tmp_path_factory.mktemp("recognition") / "named"
    DrawnPets(12, seed=0, image_size=(16, 16)).write(folder)
    return folder


def class_folders(named, root):
    for path in named.iterdir():
        folder = root / path.name.partition(".")[0]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder)


def counted(found):
    return {name: len(source.samples()) for name, source in found.open().items()}


def test_class_folders(named, tmp_path):
    """One folder per class is one set, still to be split."""
    class_folders(named, tmp_path / "pets")
    found = recognise(tmp_path / "pets")
    assert found.parts == {"all": SourceSpec("folders", str(tmp_path / "pets"))}
    assert counted(found) == {"all": 12}
    assert str(found).endswith("one folder per class")


def test_a_single_folder_is_stepped_through(named, tmp_path):
    """``download/PetImages/cat`` is found from ``download``."""
    class_folders(named, tmp_path / "download" / "PetImages")
    assert counted(recognise(tmp_path / "download")) == {"all": 12}


def test_parts_of_a_set(named, tmp_path):
    """``training_set``, ``val`` and ``test`` are the three parts, whatever they hold."""
    for name in ("training_set", "val", "test"):
        class_folders(named, tmp_path / name)
    found = recognise(tmp_path)
    assert counted(found) == {"train": 12, "validation": 12, "test": 12}
    assert found.parts["validation"].path == str(tmp_path / "val")


def test_train_may_be_a_class(named, tmp_path):
    """bus, car, train: a class called train is no part of the set."""
    for name in ("bus", "car", "train"):
        shutil.copytree(named, tmp_path / name)
    assert list(recognise(tmp_path).parts) == ["all"]


def test_names_with_the_class_before_a_number(named, tmp_path):
    """``cat_3.png`` tells its class as ``cat.3.png`` does."""
    for path in named.iterdir():
        name, number, _ = path.name.split(".")
        shutil.copy(path, tmp_path / f"{name}_{number}.png")
    found = recognise(tmp_path)
    assert found.open()["all"].class_names == ("cat", "dog")
    assert eval(found.parts["all"].code, {"FilenameSource": type(found.open()["all"])}).class_names == ("cat", "dog")


def test_kaggles_layout_and_its_archives(named, tmp_path):
    """``train/cat.0.jpg`` beside ``test1/1.jpg``, as folders and as archives in an archive."""
    root = tmp_path / "set"
    shutil.copytree(named, root / "train")
    DrawnPets(6, seed=1, image_size=(16, 16)).write(root / "test1", layout="unlabelled")
    for part in ("train", "test1"):
        shutil.make_archive(str(tmp_path / part), "zip", root, part)
    with zipfile.ZipFile(tmp_path / "dogs-vs-cats.zip", "w") as outer:
        outer.write(tmp_path / "train.zip", "train.zip")
        outer.write(tmp_path / "test1.zip", "test1.zip")
        outer.writestr("sampleSubmission.csv", "id,label\n1,0\n")
    for path in (root, tmp_path / "dogs-vs-cats.zip"):
        found = recognise(path)
        assert list(found.parts) == ["all", "unlabelled"]
        assert counted(found) == {"all": 12}
        assert "without labels, left for predict" in str(found)


def test_a_table_beside_its_pictures(named, tmp_path):
    """``labels.csv`` names the files, without their endings, in a folder beside it."""
    (tmp_path / "images").mkdir()
    rows = ["id,breed"]
    for number, path in enumerate(sorted(named.iterdir())):
        shutil.copy(path, tmp_path / "images" / f"x{number}.png")
        rows.append(f"x{number},{path.name.partition('.')[0]}")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    found = recognise(tmp_path)
    assert found.parts["all"].kind == "table"
    assert counted(found) == {"all": 12}


def test_train_csv_beside_train(named, tmp_path):
    """Kaggle's other layout: ``train.csv`` has the labels of the numbered pictures in ``train/``."""
    (tmp_path / "train").mkdir()
    rows = ["image,label"]
    for number, path in enumerate(sorted(named.iterdir())):
        shutil.copy(path, tmp_path / "train" / f"{number}.png")
        rows.append(f"{number}.png,{path.name.partition('.')[0]}")
    (tmp_path / "train.csv").write_text("\n".join(rows) + "\n")
    assert counted(recognise(tmp_path)) == {"all": 12}


def test_tables_of_pixels(tmp_path):
    """Kaggle's digits: ``train.csv`` with labels, ``test.csv`` without."""
    names = [f"pixel{number}" for number in range(25)]
    rows = [",".join(["0"] * 25), ",".join(["200"] * 25)]
    (tmp_path / "train.csv").write_text("\n".join([",".join(["label", *names]), "0," + rows[0], "1," + rows[1]]) + "\n")
    (tmp_path / "test.csv").write_text("\n".join([",".join(names), *rows]) + "\n")
    found = recognise(tmp_path)
    assert {name: spec.kind for name, spec in found.parts.items()} == {"all": "csv_pixels", "unlabelled": "csv_pixels"}
    assert counted(found) == {"all": 2}
    assert recognise(tmp_path / "train.csv").parts["all"].kind == "csv_pixels"


def test_a_kind_may_be_said(named):
    """What is said is not guessed, and goes through JSON unchanged."""
    found = recognise(named, "filenames", pattern=r"(?P<label>cat|dog)")
    spec = found.parts["all"]
    assert SourceSpec.from_dict(spec.to_dict()) == spec
    assert counted(found) == {"all": 12}


def test_what_cannot_be_read(named, tmp_path):
    """Each refusal says what is there and what to give instead."""
    (tmp_path / "notes.txt").write_text("no pictures")
    with pytest.raises(DatasetError, match=r"notes\.txt'\. Give the table"):
        recognise(tmp_path)
    with pytest.raises(DatasetError, match="Check the path"):
        recognise(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="is one picture. Give the folder"):
        recognise(next(named.iterdir()))
    with pytest.raises(DatasetError, match="unpack other archives first"):
        recognise(tmp_path / "notes.txt")
    with pytest.raises(OptionError, match="Say kind"):
        recognise(named, pattern="x")
    with pytest.raises(UnknownNameError, match="Did you mean 'folders'"):
        recognise(named, "folder")


def test_loose_pictures_beside_class_folders(named, tmp_path):
    """They have no class; the folders stay the classes, and the source says what it leaves out."""
    class_folders(named, tmp_path)
    for path in named.iterdir():
        shutil.copy(path, tmp_path)
        shutil.copy(path, tmp_path / f"x{path.name}")
    with pytest.warns(UserWarning, match="beside the class folders"):
        source = recognise(tmp_path).open()["all"]
    assert source.class_names == ("cat", "dog")


def test_what_is_to_be_handed_in_holds_no_labels(named, tmp_path):
    """``sample_submission.csv`` is passed over; two tables that label the pictures are one too many."""
    (tmp_path / "images").mkdir()
    rows = ["id,label"]
    for number, path in enumerate(sorted(named.iterdir())):
        shutil.copy(path, tmp_path / "images" / f"x{number}.png")
        rows.append(f"x{number},{path.name.partition('.')[0]}")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "sample_submission.csv").write_text("\n".join(rows).replace("cat", "dog") + "\n")
    assert recognise(tmp_path).parts["all"].path.endswith("labels.csv")
    shutil.copy(tmp_path / "labels.csv", tmp_path / "other.csv")
    with pytest.raises(DatasetError, match="several tables"):
        recognise(tmp_path)


def test_parts_that_are_not_read_are_named(named, tmp_path):
    """``extra/`` beside ``train/`` and ``test/`` is left out, and said to be; two training parts are refused."""
    for name in ("train", "test", "extra"):
        class_folders(named, tmp_path / name)
    found = recognise(tmp_path)
    assert found.ignored == ("extra",)
    assert "left out: 'extra'" in str(found)
    class_folders(named, tmp_path / "train_b")
    with pytest.raises(DatasetError, match="Give one of them"):
        recognise(tmp_path)


def test_a_part_whose_names_tell_no_class_of_training(named, tmp_path):
    """``test/img_1.png`` beside class folders is without labels."""
    class_folders(named, tmp_path / "train")
    (tmp_path / "test").mkdir()
    for number, path in enumerate(named.iterdir()):
        shutil.copy(path, tmp_path / "test" / f"{'img' if number % 2 else 'pic'}_{number}.png")
    assert list(recognise(tmp_path).parts) == ["all", "unlabelled"]


def test_a_table_that_parts_its_rows(named, tmp_path):
    """Its column is not read, so rows of the test part would be trained on."""
    rows = [f"{path.name},{path.name.partition('.')[0]},train" for path in named.iterdir()]
    (tmp_path / "all.csv").write_text("\n".join(["file,label,split", *rows]) + "\n")
    with pytest.raises(DatasetError, match="Write a table per part"):
        recognise(tmp_path / "all.csv")
