"""Package managers: which steps install, which files they read, what an image holds of them."""

from __future__ import annotations

from .files import EnvironmentFile, environment_files
from .pins import check_environment_file, environment_name, load_yaml, python_pin
from .source_edit import Choice, choose_source, named_source
from .steps import (
    EnvironmentCommand,
    environment_commands,
    is_named,
    roles_of,
)
from .tools import Installation

__all__ = [
    "Choice",
    "EnvironmentCommand",
    "EnvironmentFile",
    "Installation",
    "check_environment_file",
    "choose_source",
    "environment_commands",
    "environment_files",
    "environment_name",
    "is_named",
    "load_yaml",
    "named_source",
    "python_pin",
    "roles_of",
]
