"""VGG16 and where it looks, beside a network that learnt nothing (document 002)
=============================================================================

Two networks of one architecture: one is trained, the other, a control, saw six pictures under exchanged labels.  Their
explanations, side by side, show what a heat map proves and what it does not.

::

    python examples/vgg16_explained.py                                 # pictures drawn on the spot
    python examples/vgg16_explained.py --data dataset/                 # photographs at 64×64
    python examples/vgg16_explained.py --data dataset/ --size 224      # as the document has it: a GPU's work

Network ``vgg16_bn``, batch 20, SGD 1e-3 with momentum 0.9, rotation 40°, zoom 0.2, flip; 250 epochs of 80 steps, 2 of 4
with ``--fast``; one dense layer of 256 in place of the two of 4,096, unless ``--size`` is 224 or more.  The control is
the same network after one epoch of 6 pictures whose labels are exchanged.  Drawn pictures: 10 epochs of 60
steps, without augmentation.

Expected on the photographs: vgg16_accurate 0.7470 (0.7191 to 0.7730), vgg16_control 0.4970 ± 0.0236 (0.4661 to
0.5279) of the test pictures; 61 minutes in all on two busy cores.  Drawn: three minutes on two cores.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from imgclf import Dataset, DrawnPets, Explainer, FolderSource, compare, recipes
from imgclf.tables import Table

parser = argparse.ArgumentParser(description="Train and explain VGG16 as document 002 does.")
parser.add_argument(
    "--data",
    type=Path,
    help="a folder with train/, validation/ and test/, each with cats/ and dogs/: the 25,000 photographs of Kaggle's "
    '"Dogs vs. Cats" (kaggle.com/c/dogs-vs-cats), sorted 17,000, 4,000 and 4,000, or fewer',
)
parser.add_argument("--size", type=int, default=64, help="height and width in pixels; the document's is 224")
parser.add_argument("--out", type=Path, default=Path("out/vgg16_explained"), help="where pictures, table and models go")
parser.add_argument("--fast", action="store_true", help="2 epochs of 4 steps")
args = parser.parse_args()
out, size = args.out, (args.size, args.size)
out.mkdir(parents=True, exist_ok=True)

# %%
# The pictures
# ------------
# For the control, six of the training pictures get the other class's label.
drawn = args.data is None
root = out / "data" if drawn else args.data
classes = ("cats", "dogs")
if drawn:
    for seed, (part, count) in enumerate({"train": 2000, "validation": 200, "test": 200}.items()):
        DrawnPets(count, seed=seed, image_size=size).write(root / part, "folders", class_folders=classes)
train, validation, test = (
    Dataset.load(FolderSource(root / part, class_names=classes), image_size=size)
    for part in ("train", "validation", "test")
)
few = train.take([0, 1, 2, -3, -2, -1])
swapped = replace(few, labels=1 - few.labels)
print(train, validation, test, swapped.head(6), sep="\n", end="\n\n")

# %%
# The accurate model and the control
# ----------------------------------
# The same network and settings, other labels.
options = {} if args.size >= 224 else {"options": {"dense": (256,)}}
changes: dict[str, int | None] = {}
if drawn:
    changes = {"epochs": 10, "steps_per_epoch": 60, "augmentation": None}
if args.fast:
    changes |= {"epochs": 2, "steps_per_epoch": 4}
run_dir = out / ("fast" if args.fast else "runs") / str(args.size)  # broken off? The same command goes on
runs = {
    "accurate": recipes.get("vgg16_accurate", **options | changes).fit(train, validation, run_dir=run_dir / "accurate"),
    "control": recipes.get("vgg16_control", **options).fit(swapped, validation, run_dir=run_dir / "control"),
}
runs["accurate"].plot().savefig(out / "curves.png")  # the control has one epoch, whose figures are in the table

# %%
# What each can do
# ----------------
# A control whose interval holds 0.5 guesses.
rows = []
for name, run in runs.items():
    run.classifier.save(out / f"{name}.keras")
    said, past = run.classifier.evaluate(test), run.history
    best = max(past["accuracy"]), min(past["loss"]), max(past["val_accuracy"]), min(past["val_loss"])
    rows.append((name, said.accuracy, *said.accuracy_interval, said.loss, *best))
columns = ("max train accuracy", "min train loss", "max val accuracy", "min val loss")
figures = Table(("network", "test accuracy", "from", "to", "test loss", *columns), rows)
figures.to_csv(out / "figures.csv")
print(figures, end="\n\n")

# %%
# What they look at
# -----------------
# What each layer makes of a cat and a dog, and Grad-CAM at each of them: first the accurate network, then the control.
pair = test.take([0, -1])
networks = {name: Explainer(run.classifier) for name, run in runs.items()}
for name, explainer in networks.items():
    explainer.feature_maps(pair, layers="block*").save(out / f"feature_maps_{name}.png")
    explainer.grad_cam(pair, classes, layers="block*").save(out / f"grad_cam_{name}.png")

# %%
# Side by side
# ------------
# Each map is drawn from 0 to its own maximum, so a control's look as sure as the other's: read the probabilities beside
# them.
both = compare(networks, pair, layers="*_conv*")
both.save(out / "side_by_side.png")
print(both, f"\nwritten to {out}:", *sorted(path.name for path in out.iterdir()), sep="\n  ")
