"""The Python interface: the objects that the ``dockercache`` fixture gives to a test."""

from .docker_cache import DockerCache
from .image import Image

__all__ = ["DockerCache", "Image"]
