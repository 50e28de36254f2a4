"""Package managers: the steps that install, the files they read, the packages in an image."""

from __future__ import annotations

from .argument_uses import ArgumentUse
from .documents import check_environment_file
from .file_groups import Group, directories_of, tops_of
from .files import EnvironmentFile, environment_files
from .flow import ContainerFiles
from .ground import Ground, grounds_of
from .inputs import belongs_to_manager
from .pins import PythonPin, environment_name, python_pins, request_files
from .source_edit import Choice, named_source
from .steps import (
    EnvironmentCommand,
    Unrecognised,
    environment_commands,
    is_named,
    lists_apart,
    only_exports,
    roles_of,
    unrecognised_installs,
)
from .survey import Survey
from .tools import Installation, is_foreign_file, is_installed_place

__all__ = [
    "ArgumentUse",
    "Choice",
    "ContainerFiles",
    "EnvironmentCommand",
    "EnvironmentFile",
    "Ground",
    "Group",
    "Installation",
    "PythonPin",
    "Survey",
    "Unrecognised",
    "belongs_to_manager",
    "check_environment_file",
    "directories_of",
    "environment_commands",
    "environment_files",
    "environment_name",
    "grounds_of",
    "is_foreign_file",
    "is_installed_place",
    "is_named",
    "lists_apart",
    "named_source",
    "only_exports",
    "python_pins",
    "request_files",
    "roles_of",
    "tops_of",
    "unrecognised_installs",
]
