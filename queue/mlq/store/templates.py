"""Stores once what jobs have in common, above all their caller's variables.

A sweep of 10,000 jobs has one environment, one folder and one request, in a kilobyte or more. So a
job is stored as the digest of its template and its command (`lua/_templates.lua`); the template is
its spec without the command, the id and the time of submission, and for a member of a sweep without
its place there (`mlq_member`). The whole text is signed, copied to the results root and run; only
the store knows the short one. A client that replaces the template breaks the signature.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mlq.lenient import dict_or_empty, list_or_empty, text_of
from mlq.store import keys

if TYPE_CHECKING:
    from mlq.store.client import Client

_PARTS = (4, 5)
_DIGITS = 20
_SHORT = re.compile(r"([0-9a-f]{16,}) (\[.*\])", re.DOTALL)
# No user's text contains a NUL: it could not be passed to a process.
_COMMAND, _ID, _MEMBER, _TIME = "\0command", "\0id", "\0member", "\0time"


class Template(NamedTuple):
    """The texts around command, id, member if there is one, and time in a spec that is signed.

    Args:
        parts: these texts: four, or five of a member of a sweep.
        digest: the digest that identifies them.
    """

    parts: tuple[str, ...]
    digest: str

    def text(self, argv: Sequence[str], job_id: str, at: str, member: str = "") -> str:
        """Return the signed text of a job that has this template.

        Args:
            argv: its command.
            job_id: its id.
            at: its time of submission, ISO.
            member: what it is in its sweep (`member_text`).
        """
        return _whole(self.parts, _list(argv), job_id, at, member)

    def stored(self, argv: Sequence[str]) -> str:
        """Return what is stored as the spec of a job that has this template."""
        return f"{self.digest} {_list(argv)}"


def template_of(spec: str) -> Template | None:
    """Return the template of a signed text; None if it runs no command, or has another form."""
    fields = dict_or_empty(spec)
    argv, job_id, at = (fields.get(name) for name in ("argv", "id", "submitted_at"))
    if not argv or not isinstance(argv, list) or "function" in fields:
        return None
    holes = {"argv": [_COMMAND], "id": _ID, "member": _MEMBER, "submitted_at": _TIME}
    if "member" not in fields:
        del holes["member"]
    rest, found = _json({**fields, **holes}), []
    for hole in holes.values():
        part, _, rest = rest.partition(_json(hole))
        found.append(part)
    parts = (*found, rest)
    member = _json(fields["member"]) if "member" in fields else ""
    if _whole(parts, _json(argv), str(job_id), str(at), member) != spec:
        return None  # an older mlq wrote it
    import hashlib  # `mlq show` only reads, and this import takes as long as starting Python

    return Template(parts, hashlib.sha256(_json(parts).encode()).hexdigest()[:_DIGITS])


_json = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def _list(texts: Sequence[str]) -> str:
    """Return what `_json` does; making an encoder takes five times as long as a command."""
    return f"[{','.join(map(_json, texts))}]"  # of a single text it makes none


def member_text(
    name: str, key: str, params: Mapping[str, str], drawn: Mapping[str, str] | None = None
) -> str:
    """Return what a job is in its sweep (`mlq.jobs.spec.Member`), as its signed text has it."""
    first = f'"drawn":{_json(dict(drawn))},' if drawn else ""
    head = f'{{{first}"key":{_json(key)},"name":{_json(name)}'
    inside = ",".join([f"{_json(one)}:{_json(params[one])}" for one in sorted(params)])
    return f'{head},"params":{{{inside}}}}}' if params else f"{head}}}"


def _whole(parts: Sequence[str], command: str, job_id: str, at: str, member: str) -> str:
    if len(parts) == max(_PARTS):
        return (
            f'{parts[0]}{command}{parts[1]}"{job_id}"{parts[2]}{member}{parts[3]}"{at}"{parts[4]}'
        )
    return f'{parts[0]}{command}{parts[1]}"{job_id}"{parts[2]}"{at}"{parts[3]}'


def as_args(templates: Iterable[Template | None]) -> dict[str, str]:
    """Return templates in the form that the operations take: digest -> JSON."""
    found = {one.digest: one.parts for one in templates if one}
    return {digest: _json(parts) for digest, parts in found.items()}


# Without the last field, the spec of a sweep's member is incomplete.
STORED = ("mlq_spec", "created_at", "mlq_member")


class Raw(NamedTuple):
    """A spec as it was found: the job's id, and its fields `STORED`."""

    id: str
    spec: str
    created_at: str
    member: str


def whole_specs(client: Client, found: Sequence[Raw]) -> list[str]:
    """Return stored specs as they were signed; a spec whose template is gone stays as it is."""
    digests = sorted({match[1] for one in found if (match := _SHORT.fullmatch(one.spec))})
    if not digests:
        return [one.spec for one in found]
    parts = _parts(client, digests)
    return [_expanded(one, parts) for one in found]


def shared_fields(client: Client, digests: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return what the jobs of each of these templates share; missing templates are left out.

    Args:
        client: of the queue.
        digests: of the templates.
    """
    return {
        digest: dict_or_empty(_whole(parts, "[]", "", "", "{}"))
        for digest, parts in (_parts(client, digests).items() if digests else ())
        if len(parts) in _PARTS
    }


def _parts(client: Client, digests: Sequence[str]) -> dict[str, tuple[str, ...]]:
    replies = client.call("MGET", *map(keys.template, digests))
    return {
        digest: tuple(map(str, list_or_empty(text_of(reply))))
        for digest, reply in zip(digests, replies, strict=True)
        if reply is not None
    }


def _expanded(raw: Raw, parts: Mapping[str, Sequence[str]]) -> str:
    match = _SHORT.fullmatch(raw.spec)
    template = parts.get(match[1], ()) if match else ()
    if match is None or len(template) not in _PARTS:
        return raw.spec
    return _whole(template, match[2], raw.id, raw.created_at, raw.member)


def digest_of(spec: str) -> str:
    """Return the digest of a stored spec's template; "" if it has none."""
    match = _SHORT.fullmatch(spec)
    return match[1] if match else ""


def is_short(spec: str) -> bool:
    """Return whether a spec lacks its template."""
    return _SHORT.fullmatch(spec) is not None
