"""Whether the settings of a good guest go together.

They are checked where settings are read, and again where `mlq worker start --guest` changes the
mode.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast, get_args

from mlq.errors import InvalidInputError, SettingsError
from mlq.settings.hours import parse_hours
from mlq.settings.settings import Settings

Mode = Literal["polite", "night", "mine"]
MODES: tuple[str, ...] = get_args(Mode)

_LIMITS = frozenset({"cores", "mem", "vram"})


def with_mode(settings: Settings, mode: str, origin: Mapping[str, str] | None = None) -> Settings:
    """Return the settings with another mode, as `mlq worker start --guest` says; "": as they are.

    Args:
        settings: the settings in force.
        mode: one of those that the setting `guest` may have.
        origin: where each setting comes from, for messages; None: not known.

    Raises:
        SettingsError: they do not go together.
    """
    if not mode:
        return settings
    changed = settings._replace(guest=cast("Mode", mode))
    known = origin or dict.fromkeys(Settings._fields, "the settings")
    check_guest(changed, {**known, "guest": f"--guest {mode}"})
    return changed


def check_guest(settings: Settings, origin: Mapping[str, str]) -> None:
    """Check the mode, the hours, the spans of the desk and the limits.

    Args:
        settings: the settings in force.
        origin: where each comes from, for messages.

    Raises:
        SettingsError: they cannot be followed.
    """
    if settings.hours or settings.guest == "night":
        try:
            parse_hours(settings.hours)
        except InvalidInputError as error:
            where = "hours" if settings.hours else "guest"
            needed = "" if settings.hours else 'guest = "night" needs them: '
            raise SettingsError(
                f"{origin[where]}: {error.what}", why=f"{needed}{error.why}", fix=error.fix
            ) from None
    if not settings.desk_resume_s < settings.desk_idle_s:
        said = [f"{n} = {getattr(settings, n):g} ({origin[n]})" for n in _SPANS]
        raise SettingsError(
            "desk_resume_s must be less than desk_idle_s",
            why=" but ".join(said),
            fix="paused jobs go on first, new ones start later",
        )
    _check_limits(settings, origin)


_SPANS = ("desk_resume_s", "desk_idle_s")


def _check_limits(settings: Settings, origin: Mapping[str, str]) -> None:
    words = settings.enforce.split(",")
    if settings.enforce in ("all", "none") or (
        _LIMITS.issuperset(words) and len(set(words)) == len(words)
    ):
        return
    raise SettingsError(
        f"{origin['enforce']}: enforce = {settings.enforce!r} cannot be used",
        why="it is all, none, or some of cores,mem,vram",
    )
