"""Makes each Python of a job import the job's copy of its code, and have a `mlq` that can report.

Python imports this module when it starts, because its folder comes first in a job's PYTHONPATH.
When it has done its work, it runs the `sitecustomize` that Python would have found.

An environment that has a project installed editable names the live folder: in `sys.path`, or in the
map of a finder. For a job that runs a copy, this module moves those names from the live project
(`MLQ_CODE`) to the copy. The copy itself is not put on `sys.path`: there its modules would hide
those of the standard library.

`from mlq import report` works in every environment: a finder, the last of all, knows one file
(`MLQ_MODULE`). So any other module called `mlq` wins, wherever a finder or `sys.path` has it.

It runs in whatever Python a job has, so its syntax is that of any Python 3, and it imports nothing
that Python has not imported by then. Invariant: no error here is an error of the job.
"""

import os
import sys

_MAPS = ("MAPPING", "NAMESPACES")  # of setuptools: name -> path, name -> paths
_NOT_MOVED = ("ScikitBuildRedirectingFinder", "MesonpyMetaFinder")
_LINK_TREE = "/__editable__."  # of setuptools in its strict mode: links to live files
_DEEP = 3


def pairs_of(text: str) -> "list[tuple[str, str]]":
    """Return (live project, copy), the longest first, so that one inside of another counts."""
    words = [word.replace("%0A", "\n").replace("%25", "%") for word in text.split("\n")]
    pairs = list(zip(words[::2], words[1::2]))  # noqa: B905 - newer than some Pythons
    pairs += [(os.path.realpath(live), copy) for live, copy in pairs]
    return sorted(set(pairs), key=lambda pair: -len(pair[0]))


def moved(path: str, pairs: "list[tuple[str, str]]") -> str:
    """Return where in the copies a path of a live project is; the same if it is in none."""
    for live, copy in pairs:
        if path == live or path.startswith(live + "/"):
            there = copy + path[len(live) :]
            if os.path.exists(there) or os.path.exists(there + ".py"):
                return there
            return path
    return path


def _is_of_environment(path: str) -> bool:
    """Return whether a path is a part of Python or its environment, which are used live."""
    if "/site-packages" in path or "/dist-packages" in path:
        return True
    prefixes = (sys.prefix, sys.base_prefix, sys.exec_prefix)
    return any(path.startswith(prefix + "/lib") for prefix in prefixes)


def move_paths(pairs: "list[tuple[str, str]]") -> None:
    """Move the entries of `sys.path`, in their order."""
    for at, path in enumerate(sys.path):
        if isinstance(path, str) and not _is_of_environment(path):
            sys.path[at] = moved(path, pairs)


def move_finders(pairs: "list[tuple[str, str]]") -> None:
    """Move what finders of editable installs map names to."""
    for finder in sys.meta_path:
        module = sys.modules.get(getattr(finder, "__module__", ""))
        if module is not None and module.__name__.startswith("__editable__"):
            for name in _MAPS:
                _move_map(getattr(module, name, None), pairs)
        _move_map(getattr(finder, "_redirections", None), pairs)  # of the package `editables`


def _move_map(found: object, pairs: "list[tuple[str, str]]") -> None:
    if isinstance(found, dict):
        for name, value in found.items():
            if isinstance(value, str):
                found[name] = moved(value, pairs)
            elif isinstance(value, list):
                found[name] = [moved(str(one), pairs) for one in value]


def not_moved(pairs: "list[tuple[str, str]]") -> "list[str]":
    """Return in words what still leads to a live project."""
    said = [
        "an editable install of setuptools in its strict mode (" + path + ")"
        for path in sys.path
        if isinstance(path, str) and _LINK_TREE in path and _is_live(path, pairs)
    ]
    for finder in sys.meta_path:
        kind = type(finder).__name__
        if kind in _NOT_MOVED and _mentions(vars(finder), pairs, _DEEP):
            said.append("an editable install of " + type(finder).__module__ + " (" + kind + ")")
    return said


def _is_live(path: str, pairs: "list[tuple[str, str]]") -> bool:
    names = [name for pair in pairs for name in pair]
    return any(path == name or path.startswith(name + "/") for name in names)


def _mentions(found: object, pairs: "list[tuple[str, str]]", deep: int) -> bool:
    if isinstance(found, str):
        return _is_live(found, pairs)
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, (list, tuple, set, frozenset)) and deep:
        return any(_mentions(one, pairs, deep - 1) for one in found)
    return _is_live(str(found), pairs) if hasattr(found, "__fspath__") else False


def _say(text: str) -> None:
    """Say something once a job: its other processes inherit that it was said."""
    if "MLQ_CODE_SAID" not in os.environ:
        os.environ["MLQ_CODE_SAID"] = "1"
        sys.stderr.write("mlq: " + text + "\n")


def _start(own: str) -> None:
    sys.path[:] = [path for path in sys.path if path != own]
    pairs = pairs_of(os.environ.get("MLQ_CODE", ""))
    if pairs:
        move_paths(pairs)
        move_finders(pairs)
        for what in not_moved(pairs):
            _say("the live folder is imported, not the job's copy: " + what)


class LastFinder:
    """Finds one module in a folder, after all others have not found it."""

    def __init__(self, folder: str, name: str) -> None:
        self._folder, self._name = folder, name

    def find_spec(self, name: str, path: object = None, _: object = None) -> object:
        """Return where a module is, as Python asks its finders; None if it is another one."""
        if name != self._name or path is not None:
            return None
        from _frozen_importlib_external import PathFinder

        return PathFinder.find_spec(name, [self._folder])


def offer_module(path: str) -> None:
    """Let this file be imported by its name where no other module has that name."""
    folder, file = os.path.split(path)
    if folder:
        finder = LastFinder(folder, os.path.splitext(file)[0])
        sys.meta_path.append(finder)  # type: ignore[arg-type]


def _run_next(own: str) -> None:
    """Run the `sitecustomize` that Python would have found."""
    # What `importlib` has, without importing it.
    from _frozen_importlib import module_from_spec
    from _frozen_importlib_external import PathFinder

    found = PathFinder.find_spec("sitecustomize", [path for path in sys.path if path != own])
    if found is not None and found.loader is not None:
        module = module_from_spec(found)
        sys.modules["sitecustomize"] = module
        found.loader.exec_module(module)


if __name__ == "sitecustomize":
    _own = os.path.dirname(os.path.abspath(__file__))
    try:
        _start(_own)
    except Exception as _error:  # noqa: BLE001 - whatever it is, the job goes on
        _say("the live folder may be imported, not the job's copy: " + repr(_error))
    offer_module(os.environ.get("MLQ_MODULE", ""))
    _run_next(_own)
