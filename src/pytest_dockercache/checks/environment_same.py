"""``environment-same``: the environment in the image is that of another image."""

from __future__ import annotations

from ..environments.installed import environment
from ..environments.prefixes import find_prefix
from ..errors import ConfigError
from .environment_packages import installed, judge_same
from .judged import Judged
from .reading import contents_of, open_layers
from .settings import CheckSettings
from .verdict import Verdict

__all__ = ["judge"]


def judge(subject: Judged, settings: CheckSettings) -> Verdict:
    """Hold the packages of the environment in use against those of the other image.

    Raises ConfigError if no image to compare with is named.
    """
    name = settings.compare
    if name is None:
        raise ConfigError(
            "no image to compare with", fix="name it with --dockercache-compare=IMAGE"
        )
    packages = installed(contents_of(subject, subject.image(), settings), None)
    other = open_layers(subject, name, built_here=False)
    prefix = find_prefix(other.view, None, other.config.env)
    return judge_same(subject, packages, environment(other.view, prefix), name)
