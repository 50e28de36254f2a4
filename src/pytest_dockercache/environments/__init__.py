"""Package managers: which steps install, which files they read, what an image holds of them."""

from __future__ import annotations

from .documents import check_environment_file
from .files import EnvironmentFile, environment_files
from .pins import Pin, environment_name, python_pins, request_files
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
    "Pin",
    "check_environment_file",
    "choose_source",
    "environment_commands",
    "environment_files",
    "environment_name",
    "is_named",
    "named_source",
    "python_pins",
    "request_files",
    "roles_of",
]
