"""Compose files without buildx: services as the targets that ``bake --print`` would write.

Covered are interpolation with ``.env``, ``extends``, ``include``, several files, YAML's merge keys
and the scalars as compose reads them (YAML 1.2: ``yes`` is a text). Whatever is read otherwise
than compose does would be judged wrongly, so what is not covered says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import Any

from ..errors import ConfigError, DockerCacheError, Unverifiable
from ..values import dataclass
from .interpolation import environment_file, interpolated, process_variables
from .yaml_scalars import read_yaml

__all__ = ["ComposeService", "compose_services", "named_files"]

_MOST_FILES = 50
"""Files that one compose file may lead to with ``include`` and ``extends``."""


@dataclass(frozen=True)
class ComposeService:
    """A service that is built: its target as ``bake --print`` writes it, or why it has none."""

    name: str
    directory: Path
    target: Mapping[str, Any] = field(default_factory=dict)
    problem: DockerCacheError | None = None


def compose_services(files: Sequence[Path]) -> tuple[ComposeService, ...]:
    """The services of compose files that are built, later files over earlier ones.

    A service with nothing but an image is left out. Raises ConfigError for a file that cannot be
    read at all.
    """
    directory = files[0].parent
    found: list[ComposeService] = []
    project = _ComposeProject(directory, _variables(directory))
    services = project.services(files)
    secrets = project.secrets
    for name, (place, service) in services.items():
        try:
            whole = project.extended(name, place, service, project.variables_in(place))
            if whole.get("build") is None:
                continue
            variables = {**project.variables, **_environment(whole, place, project.variables)}
            found.append(ComposeService(name, place, _target(whole, secrets, variables)))
        except DockerCacheError as problem:
            about = f"{files[0].name}::{name}"
            kind = Unverifiable if isinstance(problem, Unverifiable) else ConfigError
            found.append(ComposeService(name, place, problem=kind(f"{about}: {problem.verdict}")))
    return tuple(found)


def named_files(directory: Path) -> tuple[Path, ...]:
    """The files that ``COMPOSE_FILE`` names in the environment or in ``.env``, if all are there.

    Source: https://docs.docker.com/compose/how-tos/environment-variables/envvars/
    """
    variables = _variables(directory)
    text = variables.get("COMPOSE_FILE", "")
    separator = variables.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
    files = [Path(os.path.abspath(directory / one)) for one in text.split(separator) if one]
    there = all(file.is_file() and file.is_relative_to(directory) for file in files)
    return tuple(files) if there else ()


def _variables(directory: Path) -> Mapping[str, str]:
    own = process_variables()
    return {**environment_file(directory / ".env", own), **own}


Service = Mapping[str, Any]

_READ = ("build", "extends", "env_file")
"""The keys of a service that are about its build: what others want is no matter of ours."""


class _ComposeProject:
    """The services of one project, each with the directory that its paths are relative to."""

    def __init__(self, directory: Path, variables: Mapping[str, str]) -> None:
        self._directory = directory
        self.variables = variables
        self._documents: dict[Path, Mapping[str, Any]] = {}
        self.secrets: dict[str, Mapping[str, Any]] = {}

    def variables_in(self, place: Path) -> Mapping[str, str]:
        """What stands for ``${NAME}`` in an included directory: its own ``.env`` too, at last.

        Source: https://docs.docker.com/reference/compose-file/include/
        """
        if place == self._directory:
            return self.variables
        return {**environment_file(place / ".env", self.variables), **self.variables}

    def services(
        self, files: Sequence[Path], above: tuple[Path, ...] = ()
    ) -> dict[str, tuple[Path, Service]]:
        """The services of files that stand beside each other, and of what they include."""
        place = files[0].parent
        found: dict[str, tuple[Path, Service]] = {}
        for file in files:
            document = self._document(file)
            for included in document.get("include") or ():
                found.update(self._included(included, place, (*above, *files)))
            for name, secret in _table(document.get("secrets")).items():
                self.secrets[name] = {"base": place, **_table(secret)}
            for name, service in _table(document.get("services")).items():
                before = found.get(name)
                table = _table(service)
                found[name] = (place, table if before is None else _merged(before[1], table))
        return found

    def _included(
        self, included: object, place: Path, above: tuple[Path, ...]
    ) -> dict[str, tuple[Path, Service]]:
        if isinstance(included, dict):
            paths = included.get("path")
            if included.get("project_directory") or included.get("env_file"):
                raise Unverifiable(
                    "its include has a directory or an env_file of its own, which is read only "
                    "where buildx is installed"
                )
        else:
            paths = included
        texts = paths if isinstance(paths, list) else [paths]
        files = [
            Path(os.path.abspath(place / interpolated(str(text), self.variables))) for text in texts
        ]
        for file in files:
            if file in above:
                raise ConfigError(f"{file} includes itself")
        return self.services(files, above)

    def extended(
        self,
        name: str,
        place: Path,
        service: Service,
        variables: Mapping[str, str],
        above: tuple[tuple[Path, str], ...] = (),
    ) -> Service:
        """A service with what it extends, and with its variables replaced."""
        own = _table(
            {key: _replaced(value, variables) for key, value in service.items() if key in _READ}
        )
        if "environment" in service:
            with suppress(ConfigError):  # It is about the container, and seldom about the build.
                own = {**own, "environment": _replaced(service["environment"], variables)}
        base = own.get("extends")
        if base is None:
            return own
        if isinstance(base, str):
            base = {"service": base}
        other = str(_table(base).get("service"))
        file = _table(base).get("file")
        if file is None:
            services = self._beside(name, service)
            there, key = place, (place, other)
        else:
            path = Path(os.path.abspath(place / str(file)))
            services = {
                key: _table(value)
                for key, value in _table(self._document(path).get("services")).items()
            }
            there, key = path.parent, (path, other)
        if key in above:
            raise ConfigError(f"service {name} extends itself")
        if other not in services:
            raise ConfigError(f"it extends the service {other}, which is not there")
        inherited = self.extended(other, there, services[other], variables, (*above, key))
        if there != place:
            inherited = _moved(inherited, there, place)
        return _merged(inherited, own)

    def _beside(self, name: str, service: Service) -> dict[str, Service]:
        """The services of the file in which a service stands.

        Several files may have a service of that name; one that two files make together stands in
        the first.
        """
        tables = [_table(document.get("services")) for document in self._documents.values()]
        own = [services for services in tables if services.get(name) is service]
        for services in own or [services for services in tables if name in services]:
            return {key: _table(value) for key, value in services.items()}
        return {}

    def _document(self, file: Path) -> Mapping[str, Any]:
        found = self._documents.get(file)
        if found is None:
            if len(self._documents) >= _MOST_FILES:
                raise ConfigError(f"{file}: it leads to more than {_MOST_FILES} files")
            found = _table(read_yaml(file))
            self._documents[file] = found
        return found


def _replaced(value: object, variables: Mapping[str, str]) -> object:
    if isinstance(value, str):
        return interpolated(value, variables)
    if isinstance(value, list):
        return [_replaced(item, variables) for item in value]
    if isinstance(value, dict):
        return {key: _replaced(item, variables) for key, item in value.items()}
    return value


def _target(
    service: Service, secrets: Mapping[str, Mapping[str, Any]], variables: Mapping[str, str]
) -> Mapping[str, Any]:
    """The target of a service, as ``bake --print`` writes it."""
    build = service["build"]
    if isinstance(build, str):
        build = {"context": build}
    build = _table(build)
    target: dict[str, Any] = {
        "context": build.get("context") or ".",
        "dockerfile": build.get("dockerfile") or "Dockerfile",
        "dockerfile-inline": build.get("dockerfile_inline"),
        "target": build.get("target"),
        "args": _filled(_pairs(build.get("args")), variables),
        "contexts": _pairs(build.get("additional_contexts")),
        "platforms": _list(build.get("platforms")),
        "cache-from": _list(build.get("cache_from")),
        "cache-to": _list(build.get("cache_to")),
        "ssh": [
            key if value in (None, "") else f"{key}={value}"
            for key, value in _pairs(build.get("ssh")).items()
        ],
        "secret": list(_secrets(build.get("secrets"), secrets)),
        "of-compose": True,
        "network": build.get("network"),
        "extra-hosts": _hosts(build.get("extra_hosts")),
        "shm-size": build.get("shm_size"),
        "ulimits": list(_limits(build.get("ulimits"))),
        "entitlements": _entitlements(build),
        "no-cache": build.get("no_cache"),
        "no-cache-filter": _list(build.get("no_cache_filter")),
    }
    return {**target, **_of_bake(_table(build.get("x-bake")))}


def _of_bake(extension: Mapping[str, Any]) -> Mapping[str, Any]:
    """What ``x-bake`` sets: bake's own keys, one text or a list."""
    lists = ("platforms", "cache-from", "cache-to", "secret", "ssh", "no-cache-filter")
    found: dict[str, Any] = {key: _list(extension[key]) for key in lists if key in extension}
    if "no-cache" in extension:
        found["no-cache"] = extension["no-cache"]
    if "contexts" in extension:
        found["contexts"] = _pairs(extension["contexts"])
    return found


def _environment(service: Service, place: Path, variables: Mapping[str, str]) -> Mapping[str, str]:
    """The environment of a service, whose values bake gives to arguments without a value."""
    found: dict[str, str] = {}
    for item in _list(service.get("env_file")):
        path = item.get("path") if isinstance(item, dict) else item
        # What an earlier file sets stands before the project's own variables.
        found.update(environment_file(place / str(path), {**variables, **found}))
    for key, value in _pairs(service.get("environment")).items():
        value = variables.get(key) if value is None else str(value)
        found.pop(key, None)
        if value is not None:
            found[key] = value
    return found


def _hosts(value: object) -> dict[str, list[str]]:
    """The addresses of hosts: a mapping, or a list of ``HOST=ADDRESS`` or ``HOST:ADDRESS``."""
    found: dict[str, list[str]] = {}
    if isinstance(value, dict):
        return {str(host): [str(one) for one in _list(item)] for host, item in value.items()}
    for item in _list(value):
        host, _, address = str(item).replace("=", ":", 1).partition(":")
        found.setdefault(host, []).append(address)
    return found


def _limits(value: object) -> Iterator[str]:
    """Limits as the docker command takes them: ``NAME=SOFT:HARD``."""
    for name, limit in _table(value).items():
        if isinstance(limit, dict):
            soft = limit.get("soft", limit.get("hard"))
            yield f"{name}={soft}:{limit.get('hard', soft)}"
        else:
            yield f"{name}={limit}:{limit}"


def _entitlements(build: Mapping[str, Any]) -> list[str]:
    allowed = [str(one) for one in _list(build.get("entitlements"))]
    if build.get("privileged") == "true":
        allowed.append("security.insecure")
    return list(dict.fromkeys(allowed))


def _secrets(value: object, known: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for item in _list(value):
        source = item.get("source") if isinstance(item, dict) else item
        name = (item.get("target") if isinstance(item, dict) else None) or source
        secret = known.get(str(source))
        if secret is None:
            raise ConfigError(f"the secret {source} is not defined")
        if secret.get("environment"):
            yield f"id={name},env={secret['environment']}"
        elif secret.get("file"):
            path = os.path.abspath(Path(secret["base"]) / str(secret["file"]))
            yield f"id={name},src={path}"
        else:
            raise Unverifiable(f"the secret {source} is kept outside the project")


def _pairs(value: object) -> dict[str, Any]:
    """A mapping, or a list of ``NAME=VALUE``; the value of a NAME alone is None."""
    if isinstance(value, dict):
        return {str(key): item for key, item in value.items()}
    found: dict[str, Any] = {}
    for item in _list(value):
        key, equals, content = str(item).partition("=")
        found[key] = content if equals else None
    return found


def _filled(pairs: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """Arguments, those without a value with that of the variable; without one they are left out."""
    filled = {key: variables.get(key) if item is None else item for key, item in pairs.items()}
    return {key: item for key, item in filled.items() if item is not None}


def _merged(before: Service, after: Service) -> Service:
    """A service over another of the same name, as far as its build is concerned."""
    both = {**before, **after}
    if "environment" in before and "environment" in after:
        both["environment"] = {**_pairs(before["environment"]), **_pairs(after["environment"])}
    if "env_file" in before and "env_file" in after:
        both["env_file"] = [*_list(before["env_file"]), *_list(after["env_file"])]
    first, second = (_build(service) for service in (before, after))
    if first is None or second is None:
        return both
    joined: dict[str, Any] = {**first, **second}
    for key in ("args", "additional_contexts"):
        if key in first and key in second:
            joined[key] = {**_pairs(first[key]), **_pairs(second[key])}
    for key in ("cache_from", "cache_to", "secrets", "ssh", "platforms", "entitlements"):
        if key in first and key in second:
            joined[key] = [*_list(first[key]), *_list(second[key])]
    if "extra_hosts" in first and "extra_hosts" in second:
        joined["extra_hosts"] = {**_hosts(first["extra_hosts"]), **_hosts(second["extra_hosts"])}
    if "ulimits" in first and "ulimits" in second:
        joined["ulimits"] = {**_table(first["ulimits"]), **_table(second["ulimits"])}
    return {**both, "build": joined}


def _build(service: Service) -> Mapping[str, Any] | None:
    build = service.get("build")
    if isinstance(build, str):
        return {"context": build}
    return build if isinstance(build, dict) else None


def _moved(service: Service, there: Path, here: Path) -> Service:
    """An inherited service with its contexts relative to the directory of the heir."""
    if service.get("env_file"):
        files = [
            item.get("path") if isinstance(item, dict) else item
            for item in _list(service["env_file"])
        ]
        service = {**service, "env_file": [_relative(str(one), there, here) for one in files]}
    build = _build(service)
    if build is None:
        return service
    moved = {**build, "context": _relative(str(build.get("context") or "."), there, here)}
    if build.get("additional_contexts"):
        moved["additional_contexts"] = {
            name: value if value is None else _relative(str(value), there, here)
            for name, value in _pairs(build["additional_contexts"]).items()
        }
    return {**service, "build": moved}


def _relative(context: str, there: Path, here: Path) -> str:
    """A directory that is relative to ``there``, from ``here``; what is none stays as it is."""
    if ":" in context or context.startswith(("git@", "github.com/")):
        return context
    return os.path.relpath(there / context, here)


def _list(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
