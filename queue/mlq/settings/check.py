"""Reads and checks a user's settings; imported only if they have not been checked before.

Every error names the place to correct: the file and line, or the variable.

The name of a host comes from a file, a variable or a flag and goes into the command line of `ssh`
and a line of its configuration. Invariant: there it is one word, and never an option.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any, get_type_hints

import annotated_types
from pydantic import TypeAdapter, ValidationError

from mlq.errors import InvalidInputError, SettingsError
from mlq.files.paths import checked_machine
from mlq.settings.guest import check_guest
from mlq.settings.people import home
from mlq.settings.settings import CONFIG_VARIABLE, JOB_VARIABLES, PARAMETERS, Settings, variable

HOST_RULE = "it is a host as one types it after `ssh`, such as gpu01 or me@gpu01"

# Quotes, white space, and characters with a meaning in a shell or an ssh configuration. Commas
# separate hosts where several may be given.
_NOT_IN_HOSTS = re.compile(r"[\s'\"\\$`;|&<>,%*?!#]")
# A gateway may be a chain of several, with commas, as for `ssh -J`.
_NOT_IN_GATEWAYS = re.compile(r"[\s'\"\\$`;|&<>%*?!#]")


def is_host(text: str) -> bool:
    """Return whether a text can be a host on the command line of `ssh`, and nothing else."""
    return bool(text) and not text.startswith("-") and not _NOT_IN_HOSTS.search(text)


def is_gateway(text: str) -> bool:
    """Return whether a text can be what follows `ssh -J`."""
    return bool(text) and not text.startswith("-") and not _NOT_IN_GATEWAYS.search(text)


LIVENESS = ("beat_s", "lease_s", "fence_s", "dead_s")

_FORMER = {"yield_to_others": 'it became `guest`: guest = "mine" on a machine of your own'}
_MISSPELT = 0.8  # difflib's measure of similarity
_NAMES = list(Settings._fields)
_NOT_IN_PATHS = re.compile(r"[\s'\":%$*?\[\]\\]")
_TOML_PLACE = re.compile(r" \(at line (\d+), column \d+\)$")


@dataclass(frozen=True)
class _Raw:
    """A value as it was set, and where; variables are strings, TOML values have types."""

    name: str
    value: Any
    origin: str
    is_string: bool

    def refused(self, why: str) -> SettingsError:
        return SettingsError(f"{self.origin}: {self.name} = {self.value!r} cannot be used", why=why)


def check(
    environ: Mapping[str, str], path: Path, content: bytes | None, defaults: Settings
) -> tuple[Settings, dict[str, str]]:
    """Return the checked settings and the origin of each.

    Args:
        environ: the environment.
        path: the config file, for messages.
        content: its content; None if it does not exist.
        defaults: the values of settings that are not set.

    Raises:
        SettingsError: a key is unknown or a value cannot be used.
    """
    raws = {raw.name: raw for raw in (*_from_file(path, content), *_from_environment(environ))}
    hints = get_type_hints(Settings, localns=vars(annotated_types), include_extras=True)
    values = {name: _checked(raw, hints[name], home(environ)) for name, raw in raws.items()}
    if "runtime_dir" in values:
        values.setdefault("redis_socket", values["runtime_dir"] / "redis.sock")
    settings = defaults._replace(**values)
    origin = {name: raws[name].origin if name in raws else "default" for name in _NAMES}
    _check_liveness(settings, origin)
    _check_machine(settings, origin)
    _check_tunnel(settings, origin)
    check_guest(settings, origin)
    return settings, origin


def _from_file(path: Path, content: bytes | None) -> Iterator[_Raw]:
    try:
        text = (content or b"").decode()
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _TOML_PLACE.search(str(error))
        where = f" line {place[1]}" if place else ""
        raise SettingsError(
            f"{path}{where}: this is not TOML", why=_TOML_PLACE.sub("", str(error))
        ) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SettingsError(f"{path} line {line}: this is not UTF-8") from None
    lines = text.splitlines()
    for name, value in table.items():
        origin = f"{path} line {_line_of(name, lines)}"
        if name not in _NAMES:
            raise SettingsError(f"{origin}: there is no setting {name!r}", fix=_suggestion(name))
        yield _Raw(name, value, origin, is_string=False)


def _line_of(name: str, lines: list[str]) -> int:
    # tomllib keeps no line numbers. A key is at the start of its line, alone or as a table's title.
    start = re.compile(rf"\s*\[*\s*[\"']?{re.escape(name)}[\"']?\s*[=.\]]")
    return next((number for number, line in enumerate(lines, 1) if start.match(line)), 1)


def _from_environment(environ: Mapping[str, str]) -> Iterator[_Raw]:
    known = {variable(name): name for name in _NAMES}
    for name, value in environ.items():
        if not name.startswith("MLQ_") or name.startswith(PARAMETERS):
            continue
        if name == CONFIG_VARIABLE or name in JOB_VARIABLES:
            continue
        # An empty variable counts as unset, as everywhere in POSIX.
        if name in known and value:
            yield _Raw(known[name], value, f"environment {name}", is_string=True)
        if name[4:].lower() in _FORMER:
            fix = _FORMER[name[4:].lower()]
            raise SettingsError(f"environment {name}: there is no such setting", fix=fix)
        # A variable of the user's own may begin with MLQ_ too: only misspellings are refused.
        near = get_close_matches(name[4:].lower(), _NAMES, n=1, cutoff=_MISSPELT)
        if name not in known and near:
            fix = f"did you mean {variable(near[0])}?"
            raise SettingsError(f"environment {name}: there is no such setting", fix=fix)


def _suggestion(name: str) -> str:
    if name in _FORMER:
        return _FORMER[name]
    near = get_close_matches(name, _NAMES, n=1)
    return f"did you mean {near[0]}?" if near else "`mlq config` lists all settings"


def _checked(raw: _Raw, hint: Any, home_dir: Path) -> Any:
    adapter: TypeAdapter[Any] = TypeAdapter(hint)
    value: Any
    try:
        if raw.is_string and hint == tuple[str, ...]:
            value = tuple(word for one in raw.value.split(",") if (word := one.strip()))
        elif raw.is_string:
            value = adapter.validate_strings(raw.value)
        else:
            # Validate as JSON, strictly: 10 is a number, "10" is not, and a path is a string.
            value = adapter.validate_json(json.dumps(raw.value, default=str), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        raise raw.refused(first["msg"].removeprefix("Input ")) from None
    if isinstance(value, Path):
        if value.parts[:1] == ("~",):
            value = home_dir.joinpath(*value.parts[1:])
        if not value.is_absolute():
            raise raw.refused("a path must begin with / or ~/")
    return value


def _check_liveness(settings: Settings, origin: Mapping[str, str]) -> None:
    for smaller, larger in pairwise(LIVENESS):
        if not getattr(settings, smaller) < getattr(settings, larger):
            said = [f"{n} = {getattr(settings, n):g} ({origin[n]})" for n in (smaller, larger)]
            raise SettingsError(
                f"{smaller} must be less than {larger}",
                why=" but ".join(said),
                fix=f"needed is {' < '.join(LIVENESS)}: otherwise a living job could be run twice",
            )


def _check_machine(settings: Settings, origin: Mapping[str, str]) -> None:
    try:
        checked_machine(settings.machine)
    except InvalidInputError as error:
        where = origin["machine"]
        raise SettingsError(
            f"{where}: machine = {settings.machine!r} cannot be used",
            why=error.why,
            fix="set MLQ_MACHINE to a name of your choice" if where == "default" else "",
        ) from None


def _check_tunnel(settings: Settings, origin: Mapping[str, str]) -> None:
    named = [("machines", one, is_host(one)) for one in settings.machines]
    if settings.queue_host:
        named.append(("queue_host", settings.queue_host, is_host(settings.queue_host)))
    if settings.gateway:
        named.append(("gateway", settings.gateway, is_gateway(settings.gateway)))
    for name, value, fits in named:
        if not fits:
            raise SettingsError(f"{origin[name]}: {name} = {value!r} cannot be used", why=HOST_RULE)
    for name in ("remote_socket", "ssh_config"):
        value = getattr(settings, name)
        if (value and not value.startswith("/")) or _NOT_IN_PATHS.search(value):
            raise SettingsError(
                f"{origin[name]}: {name} = {value!r} cannot be used",
                why="it must be a whole path, from / on, without spaces, quotes or colons",
            )
