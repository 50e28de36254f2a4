"""``environment-same``: the environment in the image is that of another image."""

from __future__ import annotations

from ..environments.installed import environment
from ..environments.prefixes import find_prefix
from ..errors import ConfigError
from ..inspection import Inspection
from ..subject import Subject
from .environment_packages import installed, judge_same
from .reading import contents_of, open_layers
from .verdict import Verdict

__all__ = ["judge"]


def judge(subject: Subject) -> Verdict:
    """Hold the packages of the environment in use against those of the other image's.

    Raises ConfigError if no image to compare with is named.
    """
    name = subject.settings.compare
    if name is None:
        raise ConfigError("no image to compare with: name it with --dockercache-compare=IMAGE")
    packages = installed(contents_of(subject, subject.image()), None)
    inspection = Inspection(subject.spec, subject.settings, subject.run, reference=name)
    other = open_layers(inspection, name)
    prefix = find_prefix(other.view, None, other.config.env)
    return judge_same(subject, packages, environment(other.view, prefix), name)
