"""Handwritten digits from a CSV of pixels (document 004)
======================================================

A table with a digit per row becomes pictures, a classifier, and a look at the digits that it gets wrong.

::

    python examples/mnist_csv.py                                       # scikit-learn's 1,797 digits of 8×8
    python examples/mnist_csv.py --data train.csv                      # Kaggle's "Digit Recognizer"
    python examples/mnist_csv.py --data train.csv.gz --test test.csv.gz    # MNIST's own 60,000 and 10,000

Network ``mnist_cnn`` at 28×28, batch 32, RMSprop, rotation 10°, shifts and zoom 0.1; early stopping after 5 epochs
without a better validation loss, the best epoch kept; 100 epochs at most, one with ``--fast``.

Expected on MNIST: mnist_csv 0.9909 ± 0.0004 (0.9888 to 0.9926) of the test pictures; 6 minutes in all on two busy
cores.  The digits of 8×8: half a minute on two cores.
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from imgclf import CsvPixelsSource, Dataset, recipes
from imgclf.plots import image_grid
from imgclf.tables import Table

parser = argparse.ArgumentParser(description="Train handwritten digits as document 004 does.")
parser.add_argument(
    "--data",
    type=Path,
    help='a CSV with a header label,pixel0,…,pixel783, a digit per row: train.csv of Kaggle\'s "Digit Recognizer" '
    "(kaggle.com/c/digit-recognizer), or MNIST written so",
)
parser.add_argument(
    "--test", type=Path, help="such a CSV of test digits, with labels; else a fifth of --data is held back"
)
parser.add_argument("--out", type=Path, default=Path("out/mnist_csv"), help="where pictures, table and model go")
parser.add_argument("--fast", action="store_true", help="one epoch")
args = parser.parse_args()
out = args.out
out.mkdir(parents=True, exist_ok=True)

# %%
# The table
# ---------
# Without ``--data`` the digits that come with scikit-learn are written as such a table.  The first five rows, and a few
# of their columns: borders are black.
path = args.data
if path is None:
    path = out / "digits.csv"
    pixels, digits = load_digits(return_X_y=True)  # grey levels 0 to 16
    header = ",".join(["label", *(f"pixel{i}" for i in range(64))])
    table = np.column_stack([digits, np.round(pixels * 255 / 16)])
    np.savetxt(path, table, fmt="%d", delimiter=",", header=header, comments="")
source = CsvPixelsSource(path)
head = source.load_images()[:5].reshape(5, -1)
columns = [0, 1, *range(head.shape[1] // 2, head.shape[1] // 2 + 8), head.shape[1] - 1]
rows = [(int(label), *row) for label, row in zip(source.samples().labels, head[:, columns].tolist(), strict=False)]
print(Table(("label", *(f"pixel{i}" for i in columns)), rows), end="\n\n")

# %%
# One row of it as a picture
# --------------------------
# The shape follows from the number of columns; ``image_size`` is what the network wants.
data = Dataset.load(source, image_size=(28, 28))
print(data, end="\n\n")
image_grid(data.pictures([0]), [f"{data.keys[0]}: {data.class_names[data.labels[0]]}"]).savefig(out / "digit.png")

# %%
# The training
# ------------
# Digits look alike without being copies, so only equal ones are kept on one side of the split.
if args.test is None:
    train, validation, test = data.split(validation=0.2, test=0.2, seed=42, duplicates="exact")
else:
    train, validation = data.split(validation=0.2, seed=42, duplicates="exact")
    test = Dataset.load(CsvPixelsSource(args.test), image_size=(28, 28))
trainer = recipes.get("mnist_csv", **({"epochs": 1} if args.fast else {}))
run_dir = out / ("fast" if args.fast else "run")  # broken off? The same command goes on
run = trainer.fit(train, validation, run_dir=run_dir)
run.plot().savefig(out / "curves.png")
run.classifier.save(out / "mnist_csv.keras")

# %%
# The test digits
# ---------------
# They are never augmented.  Below the figures stand those that the network gets wrong, the worst first.
said = run.classifier.evaluate(test)
print(run, said, sep="\n\n", end="\n\n")
wrong = said.mistakes(20)
if len(wrong):
    captions = [said.captions()[i] for i in wrong]
    image_grid(test.pictures(wrong), captions, columns=5).savefig(out / "mistakes.png")
print(f"written to {out}:", *sorted(path.name for path in out.iterdir()), sep="\n  ")
