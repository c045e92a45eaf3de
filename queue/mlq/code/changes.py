"""Which files differ between packs of code, by their manifests on the results root."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlq.code.manifest import Manifest, parse_manifest
from mlq.errors import InvalidInputError
from mlq.files.layout import Layout
from mlq.files.strict_files import Content, read_file

_MANIFEST_BYTES = 64 * 1024**2


def changed_files(
    layout: Layout, packs: Sequence[str], others: Iterable[Sequence[str]]
) -> tuple[str, ...]:
    """Return the paths in which other packs differ from these, as far as they can be read.

    Args:
        layout: of the results root, which may not be mounted here.
        packs: hashes: the project's pack first, then those of other projects.
        others: the hashes of each other job, likewise.
    """
    found: dict[str, None] = {}
    known: dict[str, Manifest | None] = {}

    def manifest(digest: str) -> Manifest | None:
        if digest not in known:
            known[digest] = read_manifest(layout, digest)
        return known[digest]

    for other in others:
        for mine, theirs in zip(packs, other, strict=False):
            one, another = manifest(mine), manifest(theirs)
            if mine != theirs and one is not None and another is not None:
                found.update(dict.fromkeys(differing(one, another)))
    return tuple(found)


def differing(one: Manifest, other: Manifest) -> list[str]:
    """Return the paths that are in only one of two manifests, or differ between them."""
    files = {entry.path for entry in {*one.files} ^ {*other.files}}
    return sorted(files | {entry.path for entry in {*one.links} ^ {*other.links}})


def read_manifest(layout: Layout, digest: str) -> Manifest | None:
    """Return a pack's manifest; None if it cannot be read."""
    folder = layout.code_dir
    found = read_file(layout.root, folder / f"{digest}.manifest", _MANIFEST_BYTES)
    if not isinstance(found, Content):
        return None
    try:
        return parse_manifest(found.data, digest)
    except InvalidInputError:
        return None
