"""4,000 JPEG to 150×150, from the files: what is done once, or once per epoch."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .harness import OURS, Benchmark, Options, Round, Target
from .pictures import folders, side

Once = Callable[[], Mapping[str, float]]


def ours(options: Options) -> Once:
    """``Dataset.load`` of every folder into an empty cache."""
    from imgclf import Dataset, FolderSource

    size, found = side(options), folders(options)
    turn = itertools.count()

    def once() -> Mapping[str, float]:
        os.environ["IMGCLF_CACHE"] = str(options.work / f"cache{next(turn)}")
        sets = [Dataset.load(FolderSource(folder), image_size=(size, size), progress=False) for folder in found]
        return {"pictures": sum(map(len, sets)), "array_mb": sum(part.store.nbytes for part in sets) / 1e6}

    Dataset.load(FolderSource(_few(found[0], options)), image_size=(size, size), progress=False)
    return once


def _few(folder: Path, options: Options) -> Path:
    """Two pictures of a folder, to warm up with."""
    place = options.work / "few"
    for path in [next(iter(sorted(kind.glob("*.jpg")))) for kind in sorted(folder.iterdir()) if kind.is_dir()]:
        target = place / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    return place


def pillow_alone(options: Options) -> Once:
    """What Pillow itself takes, in as many threads: open, decode, convert and resize, and the pixels are dropped."""
    from PIL import Image

    from imgclf.processor import usable_cores

    size = side(options)
    paths = [path for folder in folders(options) for path in sorted(folder.rglob("*.jpg"))]

    def prepared(path: Path) -> int:
        with Image.open(path) as picture:
            return picture.convert("RGB").resize((size, size), Image.Resampling.BILINEAR).width

    def once() -> Mapping[str, float]:
        with ThreadPoolExecutor(usable_cores()) as pool:
            return {"pictures": len(list(pool.map(prepared, paths)))}

    once()
    return once


def keras_way(options: Options) -> Once:
    """One pass over ``keras.utils.image_dataset_from_directory``, in batches of 32."""
    import keras

    size, found = side(options), folders(options)
    datasets = [
        keras.utils.image_dataset_from_directory(folder, image_size=(size, size), batch_size=32) for folder in found
    ]
    next(iter(datasets[0]))

    def once() -> Mapping[str, float]:
        return {"pictures": sum(len(labels) for dataset in datasets for _, labels in dataset)}

    return once


def torch_way(options: Options) -> Once:
    """One pass over torch's ``DataLoader`` with torchvision's ``ImageFolder`` and ``Resize``, two workers."""
    from torch.utils.data import ConcatDataset, DataLoader
    from torchvision import datasets, transforms

    size, found = side(options), folders(options)
    steps = transforms.Compose([transforms.Resize((size, size)), transforms.ToTensor()])
    pictures = ConcatDataset([datasets.ImageFolder(folder, steps) for folder in found])
    loader = DataLoader(pictures, batch_size=32, num_workers=2)
    next(iter(loader))

    def once() -> Mapping[str, float]:
        return {"pictures": sum(len(labels) for _, labels in loader)}

    return once


def fastai_way(options: Options) -> Once:
    """One pass over fastai's ``ImageDataLoaders.from_folder``, squished as it resizes, two workers."""
    from fastai.vision.all import ImageDataLoaders, Resize, ResizeMethod

    size, found = side(options), folders(options)
    loaders = [
        ImageDataLoaders.from_folder(
            folder, valid_pct=0.1, bs=32, num_workers=2, item_tfms=Resize(size, ResizeMethod.Squish), device="cpu"
        )
        for folder in found
    ]
    loaders[0].valid.one_batch()

    def once() -> Mapping[str, float]:
        parts = [part for each in loaders for part in (each.train.new(shuffle=False, drop_last=False), each.valid)]
        return {"pictures": sum(len(labels) for part in parts for _, labels in part)}

    return once


def _beyond_the_array(rounds: Mapping[str, Round]) -> float:
    return rounds[OURS]["peak_mb"] - rounds[OURS]["array_mb"]


BENCHMARK = Benchmark(
    name="load_first",
    title="First load of 4,000 JPEG to 150×150",
    unit="pictures",
    contenders={
        OURS: ours,
        "image_dataset_from_directory": keras_way,
        "Pillow alone": pillow_alone,
        "torch DataLoader": torch_way,
        "fastai": fastai_way,
    },
    reference="image_dataset_from_directory",
    target=1.5,
    targets=(Target("peak memory of the process less the decoded array", _beyond_the_array, at_most=300, unit=" MB"),),
    needs={
        "image_dataset_from_directory": ("tensorflow",),
        "torch DataLoader": ("torch", "torchvision"),
        "fastai": ("torch", "fastai"),
    },
    group="Loading",
    note="Pillow's decoding and antialiased resize are three quarters of our processor time, so no library that takes "
    "its pixels from Pillow reaches the target: see Pillow alone, which does nothing else and keeps nothing.  "
    "TensorFlow decodes with a faster, less exact transform, and resizes without antialiasing: from four pixels each, "
    "however large the photograph is.",
    show={"peak_mb": "peak memory, MB"},
    about="4,000 photographs of 59×45 to 1023×768 pixels, stretched to 150×150; the files lie in the system's memory "
    "after the first turn. Ours decodes them into a cache that is empty at first, once for all epochs; the others make "
    "one pass, and would make it again in every epoch. torch's and fastai's loaders work in two processes, whose "
    "memory comes on top of what is shown.",
)
