"""The command line as a user meets it: what is printed, what is written, which exit code comes back."""

from __future__ import annotations

import csv
import io
import json
import shutil
import signal
import subprocess
import sys
from dataclasses import fields
from importlib.metadata import version

import numpy as np
import pytest
from PIL import Image

from imgclf import DrawnPets, OptionError, RunStopped, Trainer, UnknownNameError
from imgclf.cli import main
from imgclf.cli.preparing import changed, read_size, seconds


@pytest.fixture
def imgclf(monkeypatch, capsys):
    """``imgclf("train", "pets")`` → exit code, standard output, standard error."""

    def called(*words):
        monkeypatch.setattr(sys, "argv", ["imgclf", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return called


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with ``pets/``, 80 drawn pictures of 16×16 by class folder, and the run that was made of it."""
    place = tmp_path_factory.mktemp("cli")
    DrawnPets(80, seed=3, image_size=(16, 16)).write(place / "pets", "folders")
    patch = pytest.MonkeyPatch()
    patch.chdir(place)
    patch.setattr(sys, "argv", ["imgclf", "train", "pets", "--epochs", "2", "--batch-size", "16"])
    with pytest.raises(SystemExit) as ended:
        main()
    patch.undo()
    assert not ended.value.code
    return place


@pytest.fixture
def place(trained, monkeypatch):
    """That folder, worked in."""
    monkeypatch.chdir(trained)
    return trained


def test_help_names_every_command_and_loads_no_backend():
    """``imgclf --help`` says what there is, without Keras, Matplotlib or scikit-learn."""
    script = (
        "import sys; sys.argv = ['imgclf', '--help']\n"
        "from imgclf.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = ('keras', 'tensorflow', 'matplotlib.figure', 'sklearn', 'cv2')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    for command in (
        "check",
        "train",
        "evaluate",
        "predict",
        "explain",
        "compare",
        "report",
        "export",
        "demo",
        "doctor",
    ):
        assert f" {command} " in done.stdout
    assert done.stdout.rstrip().endswith("[]")


def test_a_run_leaves_its_files(place):
    """The classifier, the recipe with its pictures, the report and the model card."""
    names = {path.name for path in (place / "runs" / "pets").iterdir()}
    assert names >= {"best.keras", "config.json", "history.json", "report.html", "report.md"}
    notes = json.loads((place / "runs/pets/config.json").read_text())["notes"]
    assert notes["job"]["parts"]["all"]["kind"] == "folders"


def test_the_same_command_finds_its_run_finished(place, imgclf):
    """Nothing is trained again, and the figures are told again."""
    before = (place / "runs/pets/best.keras").read_bytes()
    code, out, err = imgclf("train", "pets", "--epochs", "2", "--batch-size", "16")
    assert code == 0
    assert "the run in runs/pets is this one" in err
    assert "95 % interval" in out
    assert "imgclf predict runs/pets" in out
    assert (place / "runs/pets/best.keras").read_bytes() == before
    assert not (place / "runs/pets-2").exists()


def test_a_run_is_repeated_from_its_config(place, imgclf):
    """--config trains the same network, to the bit, in a folder of its own."""
    code, _, _ = imgclf("train", "--config", "runs/pets/config.json", "--run-dir", "again")
    assert code == 0
    assert (place / "again/best.keras").read_bytes() == (place / "runs/pets/best.keras").read_bytes()


def test_the_printed_code_does_the_same(place, imgclf, monkeypatch):
    """--print-code gives a script whose history is the run's."""
    code, out, _ = imgclf("train", "pets", "--epochs", "2", "--batch-size", "16", "--print-code")
    assert code == 0
    monkeypatch.setattr("builtins.print", lambda *_, **__: None)
    names: dict = {}
    exec(compile(out.replace("'runs/script'", "None"), "printed", "exec"), names)
    wanted = json.loads((place / "runs/pets/history.json").read_text())
    assert names["run"].history == wanted


def test_predict_prints_csv_into_a_pipe_and_json_when_asked(place, imgclf):
    """One row per picture, with a column per class; folders stand for their pictures."""
    pictures = sorted((place / "pets").rglob("*.png"))[:3]
    code, out, _ = imgclf("predict", "runs/pets", *pictures)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert [row["key"] for row in rows] == [str(path) for path in pictures]
    assert {row["prediction"] for row in rows} <= {"cat", "dog"}
    code, out, _ = imgclf("predict", "runs/pets/best.keras", "pets/cat", "-f", "json")
    told = json.loads(out)
    assert code == 0
    assert len(told) == len(list((place / "pets/cat").iterdir()))
    assert abs(told[0]["p(cat)"] + told[0]["p(dog)"] - 1) < 1e-5
    assert "key" in imgclf("predict", "runs/pets", pictures[0], "-f", "table")[1].splitlines()[0]


def test_predict_answers_what_it_can_and_names_the_rest(place, imgclf, tmp_path):
    """A broken picture costs exit code 3, not the answers for the others."""
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    good = next((place / "pets/dog").iterdir())
    code, out, err = imgclf("predict", "runs/pets", broken, good)
    assert code == 3
    assert [row["key"] for row in csv.DictReader(io.StringIO(out))] == [str(good)]
    assert "broken.jpg" in err


def test_evaluate_takes_the_runs_own_test_part_or_other_pictures(place, imgclf, tmp_path):
    """Without DATA it is the part that training never saw; with it, whatever is there."""
    code, out, _ = imgclf("evaluate", "runs/pets", "-f", "json", "--save", tmp_path / "rows.csv")
    told = json.loads(out)
    assert code == 0
    assert told["part"] == "test"
    assert told["pictures"] == len((tmp_path / "rows.csv").read_text().splitlines()) - 1
    assert json.loads(imgclf("evaluate", "runs/pets", "pets", "-f", "json")[1])["pictures"] == 80
    assert imgclf("evaluate", "runs/pets", "--part", "train", "-f", "table")[1].startswith("train: ")


def test_explain_writes_a_figure(place, imgclf, tmp_path):
    """The default method suits the network, and is named."""
    picture = next((place / "pets/cat").iterdir())
    code, _, _ = imgclf("explain", "runs/pets", picture, "--out", tmp_path / "why.png")
    assert code == 0
    with Image.open(tmp_path / "why.png") as figure:
        assert figure.size[0] > 100
    code, _, _ = imgclf("explain", "runs/pets", picture, "--out", tmp_path / "a.png", "--method", "occlusion")
    assert code == 0
    code, _, err = imgclf("explain", "runs/pets", picture, "--method", "hires_cm")
    assert code == 1
    assert "hires_cam" in err
    assert "occlusion" in err


def test_compare_and_report_write_pages(place, imgclf, tmp_path):
    """Both are HTML files of their own."""
    code, out, _ = imgclf("compare", "runs/pets", "runs/pets/best.keras", "--out", tmp_path / "both.html")
    assert code == 0
    assert out.count("accuracy") == 2
    assert "may well be chance" in out
    assert "</html>" in (tmp_path / "both.html").read_text()
    code, _, _ = imgclf("report", "runs/pets", "--out", tmp_path / "again.html")
    assert code == 0
    assert "</html>" in (tmp_path / "again.html").read_text()


def test_export_goes_by_the_name(place, imgclf, tmp_path):
    """An ending that tells no format is refused with those that do."""
    code, _, err = imgclf("export", "runs/pets", tmp_path / "pets.txt")
    assert code == 1
    assert "expected a name in .onnx or .tflite" in err


def test_check_says_by_its_exit_code_what_it_found(place, imgclf, tmp_path):
    """0 for sound pictures, 4 for a broken one, and all of it as JSON."""
    clean = tmp_path / "clean"
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (clean / name).mkdir(parents=True)
        for number in range(6):
            pixels = rng.integers(0, 255, (40, 40, 3), np.uint8)
            Image.fromarray(pixels).save(clean / name / f"{number}.png")
    assert imgclf("check", clean)[0] in (0, 3)  # so few pictures are worth a warning
    (clean / "a" / "0.png").write_bytes(b"no picture")
    code, out, _ = imgclf("check", clean, "-f", "json", "--save", tmp_path / "health.json")
    assert code == 4
    assert json.loads(out) == json.loads((tmp_path / "health.json").read_text())


@pytest.mark.parametrize("command", ["architectures", "recipes", "doctor"])
def test_lists(imgclf, command):
    """Each is a table in the three forms."""
    code, out, _ = imgclf(command, "-f", "json")
    assert code == 0
    assert len(json.loads(out)) > 2
    assert "," in imgclf(command)[1].splitlines()[0]
    assert "Traceback" not in imgclf(command, "-f", "table")[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "nowhere"], "Check the path"),
        (["train"], "no path is given"),
        (["train", "pets", "--set", "epoch=3"], "Did you mean 'epochs'"),
        (["train", "pets", "--set", "epochs"], "is no NAME=VALUE"),
        (["train", "pets", "--set", "seed.x=1"], "seed has no parts"),
        (["train", "pets", "--architecture", "smal_cnn"], "Did you mean 'small_cnn'"),
        (["train", "pets", "--time", "soon"], "expected a time such as 10m"),
        (["train", "pets", "--image-size", "big"], "expected pixels"),
        (["train", "pets", "--kind", "folder"], "expected one of"),
        (["train", "--config", "nowhere"], "it has no config.json"),
        (["train", "--config", "runs/pets", "--recipe", "mnist_csv"], "Leave one of them out"),
        (["train", "pets", "--set", "options=5"], "expected options.PART=VALUE"),
        (["train", "pets", "--validation", "1.5"], "expected shares"),
        (["predict", "pets", "x.png"], "Did you mean 'runs/pets'"),
        (["explain", "runs/pets", "pets", "--out", "why.gif"], "expected a name in .png or .svg"),
        (["predict", "nowhere.keras", "x.jpg"], "nowhere.keras"),
        (["evaluate", "runs/pets", "--part", "tests"], "expected one that the run has"),
    ],
)
def test_errors_are_one_sentence(place, imgclf, words, said):
    """Exit code 1, what to do on standard error, and no traceback."""
    code, _, err = imgclf(*words)
    assert code == 1
    assert said in err.splitlines()[-1]
    assert "Traceback" not in err


def test_words_that_cannot_be_understood(imgclf):
    """Exit code 2 is for the command line itself."""
    assert imgclf("trian")[0] == 2
    assert imgclf("predict")[0] == 2


def test_every_setting_of_a_trainer_is_reachable():
    """--set takes all of them but callbacks, which cannot be typed."""
    values = {
        "architecture": "bn_cnn",
        "options": ("options.dropout", "0.3"),
        "head": "softmax",
        "optimizer": "sgd",
        "learning_rate": "0.01",
        "optimizer_options": ("optimizer_options.momentum", "0.9"),
        "batch_size": "7",
        "epochs": "9",
        "steps_per_epoch": "3",
        "augmentation": ("augmentation.rotation_range", "5"),
        "monitor": "val_loss",
        "early_stopping_patience": "4",
        "early_stopping_monitor": "val_accuracy",
        "reduce_lr_patience": "2",
        "reduce_lr_monitor": "val_loss",
        "reduce_lr_factor": "0.3",
        "reduce_lr_minimum": "1e-6",
        "class_weights": "balanced",
        "seed": "5",
        "precision": "float32",
    }
    plain = Trainer("small_cnn")
    for item in fields(Trainer):
        if item.name in ("callbacks", "_"):
            continue
        name, value = values[item.name] if isinstance(values[item.name], tuple) else (item.name, values[item.name])
        assert getattr(changed(plain, [f"{name}={value}"]), item.name) != getattr(plain, item.name), item.name
    assert changed(plain, ["early_stopping_patience=4", "early_stopping_patience=none"]).early_stopping_patience is None
    with pytest.raises(OptionError, match="Train from Python"):
        changed(plain, ["callbacks=x"])
    with pytest.raises(UnknownNameError, match="dropout"):
        changed(plain, ["options.dropuot=0.3"])


def test_times_and_sizes():
    """As people write them."""
    assert [seconds(text) for text in ("10m", "90s", "1.5h", "1h30m", "2")] == [600, 90, 5400, 5400, 120]
    assert read_size("150") == (150, 150)
    assert read_size("120×160") == (120, 160)
    for wrong in ("", "m", "-3m", "10 miles", "1m30"):
        with pytest.raises(OptionError, match="expected a time"):
            seconds(wrong)


def test_a_time_is_kept(place, imgclf):
    """--time chooses the epochs from what an epoch takes here, and says so."""
    code, _, err = imgclf("train", "pets", "--time", "5s", "--run-dir", "timed", "--no-check")
    assert code == 0
    assert "an epoch takes about" in err


def test_other_pictures_are_not_taken_for_the_runs_own(place, imgclf, tmp_path):
    """Where the folder has changed since, its split is another, and pictures that were learnt could be judged."""
    shutil.copytree(place / "pets", tmp_path / "pets")
    command = ("train", tmp_path / "pets", "--epochs", "1", "--batch-size", "16", "--run-dir", tmp_path / "run")
    assert imgclf(*command)[0] == 0
    shutil.copytree(place / "pets/cat", tmp_path / "pets/dog", dirs_exist_ok=True)
    code, _, err = imgclf("evaluate", tmp_path / "run")
    assert code == 1
    assert "Give pictures that it has not seen" in err
    shutil.copy(place / "runs/pets/best.keras", tmp_path / "run/other.keras")
    code, _, err = imgclf("evaluate", tmp_path / "run/other.keras")
    assert code == 1
    assert "Give labelled pictures behind it" in err


@pytest.mark.filterwarnings("ignore:no pictures of")  # few are left of so small a set
def test_compare_leaves_out_what_the_other_run_has_seen(place, imgclf, tmp_path):
    """Two splits of one folder: the second run was trained on some of the first one's test pictures."""
    command = (
        "train",
        "pets",
        "--epochs",
        "1",
        "--batch-size",
        "16",
        "--split-seed",
        "1",
        "--run-dir",
        tmp_path / "two",
    )
    assert imgclf(*command, "--no-check")[0] == 0
    code, _, err = imgclf("compare", "runs/pets", tmp_path / "two", "--out", tmp_path / "both.html")
    assert code == 0
    assert "are left out" in err


def test_overwrite_and_eject_take_nobody_elses_files(place, imgclf, tmp_path, monkeypatch):
    """Another command's run, and a script of one's own, stay as they are."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(place / "pets", "pets")
    shutil.copytree(place / "runs", "runs")
    before = (tmp_path / "runs/pets/best.keras").read_bytes()
    command = ("train", "pets", "--epochs", "1", "--batch-size", "16", "--no-check")
    for more in ((), ("--overwrite",)):
        assert imgclf(*command, *more)[0] == 0
        assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["pets", "pets-2"]
        assert (tmp_path / "runs/pets/best.keras").read_bytes() == before
    code, out, _ = imgclf(*command, "--eject", "plain", "--precision", "float32")
    assert code == 0
    assert "python plain/train.py" in out
    code, _, err = imgclf(*command, "--eject", "plain", "--precision", "float32")
    assert code == 1
    assert "is there already" in err


def test_classes_that_do_not_match_are_told_before_training(place, imgclf, tmp_path):
    """A test folder with a class that training does not have."""
    shutil.copytree(place / "pets", tmp_path / "set/train")
    shutil.copytree(place / "pets", tmp_path / "set/test")
    (tmp_path / "set/test/cat").rename(tmp_path / "set/test/wolf")
    code, _, err = imgclf("train", tmp_path / "set", "--run-dir", tmp_path / "run", "--no-check")
    assert code == 1
    assert "wolf" in err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_says_how_it_goes_on(place, imgclf, tmp_path, monkeypatch, number):
    """130 for Ctrl-C, 143 for SIGTERM, and one sentence."""

    def stopped(*_, **__):
        raise RunStopped(number, "the same call goes on after step 3.")

    monkeypatch.setattr(Trainer, "fit", stopped)
    code, _, err = imgclf("train", "pets", "--run-dir", tmp_path / "run", "--no-check")
    assert code == 128 + number
    assert "goes on after step 3" in err


def test_version(imgclf):
    """It is the package's."""
    assert imgclf("--version")[1].strip() == version("imgclf")
