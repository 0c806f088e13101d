"""Dog or cat, labels in the file names (document 000)
===================================================

Pictures named ``cat.0.jpg`` and ``dog.0.jpg`` in one folder become a classifier, a table of answers for Kaggle, and a
picture of where the network looks.

::

    python examples/dogs_vs_cats.py                                    # pictures drawn on the spot
    python examples/dogs_vs_cats.py --data train/ --test test1/        # Kaggle's "Dogs vs. Cats", unzipped

Network ``bn_cnn`` at 128×128, batch 15, RMSprop, rotation 15°, shifts 0.1, zoom 0.2, flip; early stopping after 10
epochs, learning rate halved after 2 without better validation accuracy; 50 epochs at most, 3 with ``--fast``.  Drawn
pictures are simpler: 64×64 and 16 epochs do.

Expected on 4,000 of Kaggle's photographs: dogs_vs_cats 0.8213 (0.7932 to 0.8462) of the validation pictures; 33
minutes in all on two busy cores.  Drawn: two minutes on two cores.
"""

import argparse
from pathlib import Path

from imgclf import Augmentation, Dataset, DrawnPets, Explainer, FilenameSource, recipes
from imgclf.plots import counts, image_grid
from imgclf.tables import Table

parser = argparse.ArgumentParser(description="Train dog or cat as document 000 does.")
parser.add_argument(
    "--data",
    type=Path,
    help='a folder of cat.N.jpg and dog.N.jpg, such as train/ of Kaggle\'s "Dogs vs. Cats" (kaggle.com/c/dogs-vs-cats)',
)
parser.add_argument("--test", type=Path, help="a folder of pictures without a label, such as Kaggle's test1/")
parser.add_argument("--out", type=Path, default=Path("out/dogs_vs_cats"), help="where pictures, table and model go")
parser.add_argument("--fast", action="store_true", help="3 epochs")
args = parser.parse_args()
out = args.out
out.mkdir(parents=True, exist_ok=True)

# %%
# The pictures
# ------------
# The class is what stands before the first dot of the name.  Look before you train: the table of files, how many there
# are of each class, one picture, and 15 versions of it as augmentation makes them.
drawn = args.data is None
size = (64, 64) if drawn else (128, 128)
train_folder = DrawnPets(1500, seed=0).write(out / "data" / "train") if drawn else args.data
test_folder = DrawnPets(100, seed=1).write(out / "data" / "test1", layout="unlabelled") if drawn else args.test
data = Dataset.load(FilenameSource(train_folder, class_names=("cat", "dog")), image_size=size)
print(data.head(), data.tail(), data, sep="\n\n", end="\n\n")
counts(data.class_counts()).savefig(out / "class_counts.png")
sample = data.pictures([len(data) - 1])[0]
image_grid([sample], [str(data.keys[-1])]).savefig(out / "sample.png")
Augmentation.preset("dogs_vs_cats").preview(sample, 15).savefig(out / "augmented.png")

# %%
# The training
# ------------
# A fifth is held back, in the same shares of both classes.  The recipe has the document's network and settings; the
# classifier of the best epoch comes back, not that of the last.
train, validation = data.split(validation=0.2, seed=42)
changes = {"epochs": 3} if args.fast else {"epochs": 16} if drawn else {}
run_dir = out / ("fast" if args.fast else "run")  # broken off? The same command goes on
run = recipes.get("dogs_vs_cats", **changes).fit(train, validation, run_dir=run_dir)
run.classifier.model.summary()
run.plot().savefig(out / "curves.png")
print(run, run.classifier.evaluate(validation), sep="\n\n", end="\n\n")
run.classifier.save(out / "dogs_vs_cats.keras")

# %%
# The answers
# -----------
# 18 of the test pictures with what the network says of them, and the file for Kaggle, with a row for each picture.
# (Without a test folder the validation pictures serve, 18 of them from all over the set.)
test = Dataset.load(FilenameSource(test_folder, labelled=False), image_size=size) if test_folder else validation
answers = run.classifier.predict(test)
shown = range(0, len(test), 1 if test_folder else max(1, len(test) // 18))[:18]
titles = [f"{Path(answers.keys[i]).name}: {answers.names[i]}" for i in shown]
image_grid(test.pictures(shown), titles, columns=6).savefig(out / "predictions.png")
rows = [(Path(key).stem, int(label)) for key, label in zip(answers.keys, answers.labels, strict=True)]
Table(("id", "label"), rows).to_csv(out / "submission.csv")

# %%
# Where the network looks
# -----------------------
# Grad-CAM at every convolution, for a cat and a dog.  How far to believe such maps stands in *Reading an explanation
# without fooling oneself*.
explained = validation.take([0, len(validation) - 1])  # a cat and a dog
Explainer(run.classifier).grad_cam(explained, layers="conv*").save(out / "grad_cam.png")
print(f"written to {out}:", *sorted(path.name for path in out.iterdir()), sep="\n  ")
