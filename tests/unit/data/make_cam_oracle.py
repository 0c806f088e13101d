"""What pytorch-grad-cam and captum say of a small network, for tests/unit/explainer/test_oracle.py.

    pip install torch grad-cam==1.5.7 captum==0.9.0 && python tests/unit/data/make_cam_oracle.py

Neither is a dependency: weights, pictures and answers are kept in ``cam_oracle.npz`` beside this script, with the
versions.  The maps are the raw ones, before pytorch-grad-cam cuts, scales and resizes them.
"""

from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from captum.attr import IntegratedGradients, Occlusion, Saliency
from pytorch_grad_cam import GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

METHODS = {"grad_cam": GradCAM, "hires_cam": HiResCAM, "layer_cam": LayerCAM, "grad_cam_plus_plus": GradCAMPlusPlus}
SIDE, CLASSES, STEPS = 20, 3, 32


def weights():
    """In Keras's order: two convolutions, two Dense layers.  Large enough for pytorch-grad-cam's 1e-6 to be nothing."""
    rng = np.random.default_rng(11)
    shapes = [(3, 3, 3, 6), (6,), (3, 3, 6, 8), (8,), (7 * 7 * 8, 16), (16,), (16, CLASSES), (CLASSES,)]
    found = [rng.normal(size=shape) / np.sqrt(np.prod(shape[:-1]) or 1) for shape in shapes]
    found[-2] *= 10_000
    return [array.astype(np.float32) for array in found]


class Network(nn.Module):
    """Convolution, ReLU, pooling, convolution, ReLU, two Dense layers; pixels 0..1."""

    def __init__(self, held):
        super().__init__()
        self.conv1, self.relu1 = nn.Conv2d(3, 6, 3), nn.ReLU()
        self.pool = nn.MaxPool2d(2)
        self.conv2, self.relu2 = nn.Conv2d(6, 8, 3), nn.ReLU()
        self.dense1, self.dense2 = nn.Linear(7 * 7 * 8, 16), nn.Linear(16, CLASSES)
        tensors = [torch.from_numpy(array) for array in held]
        for layer, kernel, bias in zip(
            (self.conv1, self.conv2, self.dense1, self.dense2), tensors[::2], tensors[1::2], strict=True
        ):
            order = (3, 2, 0, 1) if kernel.ndim == 4 else (1, 0)
            layer.weight.data, layer.bias.data = kernel.permute(order).contiguous(), bias

    def forward(self, x):
        x = self.relu2(self.conv2(self.pool(self.relu1(self.conv1(x)))))
        flat = x.permute(0, 2, 3, 1).flatten(1)
        return self.dense2(torch.relu(self.dense1(flat)))


def raw(method, network, layer, pictures, labels):
    """The map itself, ``(n, h, w)``."""
    cam, kept = METHODS[method](network, [layer]), []
    original = cam.get_cam_image
    cam.get_cam_image = lambda *args, **kwargs: kept.append(original(*args, **kwargs)) or kept[0]
    cam(input_tensor=pictures, targets=[ClassifierOutputTarget(label) for label in labels])
    return np.asarray(kept[0], np.float32)


def main():
    """Ask both, and write their answers."""
    held = weights()
    images = np.random.default_rng(12).uniform(size=(4, SIDE, SIDE, 3)).astype(np.float32)
    labels = [0, 1, 2, 1]
    network = Network(held).eval()
    pictures = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    target = torch.tensor(labels)
    content = {f"weight{number}": array for number, array in enumerate(held)}
    for method in METHODS:
        for layer in ("relu1", "relu2"):
            content[f"{method}/{layer}"] = raw(method, network, getattr(network, layer), pictures, labels)
    answers = {
        "gradient": Saliency(network).attribute(pictures.clone().requires_grad_(), target, abs=False),
        "integrated_gradients": IntegratedGradients(network).attribute(
            pictures, pictures * 0, target, n_steps=STEPS, method="riemann_middle"
        ),
        "occlusion": Occlusion(network).attribute(
            pictures, (3, 4, 4), strides=(3, 2, 2), target=target, baselines=0.25
        )[:, :1],
    }
    content |= {name: found.detach().permute(0, 2, 3, 1).numpy() for name, found in answers.items()}
    content |= {"images": images, "labels": np.array(labels), "logits": network(pictures).detach().numpy()}
    versions = [f"{name} {version(name)}" for name in ("torch", "grad-cam", "captum")]
    np.savez_compressed(Path(__file__).with_name("cam_oracle.npz"), versions=versions, **content)


if __name__ == "__main__":
    main()
