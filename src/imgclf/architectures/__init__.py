"""Networks by name: ``registry`` and one file for each of its members."""

from . import bn_cnn, mnist_cnn, small_cnn, vgg16_bn  # noqa: F401 - importing them registers them
from .base import Architecture, Head, Registry, registry

__all__ = ["Architecture", "Head", "Registry", "registry"]
