"""What becomes of each file: packed, seen live, or left."""

import stat

from mlq.code.listing import Listing
from mlq.code.taking import LARGE_BYTES, Choice, Seen, choose, leads_out

FILE = stat.S_IFREG | 0o644


def chosen(
    tracked: list[str],
    untracked: list[str] | None = None,
    ignored: list[str] | None = None,
    subfolder: str = "",
    **odd: Seen,
) -> Choice:
    listing = Listing(tracked, untracked or [], ignored or [])
    seen = {path: Seen(FILE, 10) for path in listing.files} | odd
    return choose(listing, seen, subfolder)


def test_code_is_packed_and_what_is_ignored_is_live() -> None:
    found = chosen(["train.py"], ["new.py"], [".env", "data"])
    assert found == Choice(("new.py", "train.py"), (), (".env", "data"), ())


def test_never_git_or_what_python_compiles() -> None:
    found = chosen(["a.py", "p/__pycache__/a.pyc"], ["sub/.git/x"], ["__pycache__", "q/.git"])
    assert (found.files, found.links) == (("a.py",), ())


def test_environments_are_live() -> None:
    venv = ["venv/pyvenv.cfg", "venv/bin/python", "venv/lib/x.py"]
    conda = ["envs/c/conda-meta/history", "envs/c/bin/python"]
    found = chosen(["a.py"], [*venv, *conda], [".venv"])
    assert (found.files, found.links) == (("a.py",), (".venv", "envs/c", "venv"))


def test_what_was_pulled_is_live_so_that_it_changes_no_code() -> None:
    pulled = ["net/.mlq-pull/record.jsonl", "net/lr=0.1/output/a.py", "net/results.csv"]
    found = chosen(["a.py", "network/b.py"], pulled)
    assert (found.files, found.links) == (("a.py", "network/b.py"), ("net",))


def test_an_environment_in_the_projects_own_folder_is_live() -> None:
    found = chosen(["a.py"], ["pyvenv.cfg", "bin/python", "lib/python3/x.py"])
    assert (found.files, found.links) == (("a.py",), ("bin", "lib", "pyvenv.cfg"))


def test_a_large_file_counts_as_ignored_unless_git_tracks_it() -> None:
    large = Seen(FILE, LARGE_BYTES + 1)
    found = chosen(
        ["tracked.bin", "w/a.py"], ["new.bin"], **{"tracked.bin": large, "new.bin": large}
    )
    assert (found.files, found.links) == (("tracked.bin", "w/a.py"), ("new.bin",))
    assert found.large == ("new.bin",)


def test_links_stay_links_unless_they_lead_out() -> None:
    inside, absolute = Seen(stat.S_IFLNK, 1, "../a.py"), Seen(stat.S_IFLNK, 1, "/vol/data")
    out = Seen(stat.S_IFLNK, 1, "../../shared")
    found = chosen(["a.py"], ["d/i", "d/o", "d/w"], **{"d/i": inside, "d/o": out, "d/w": absolute})
    assert found.kept == (("d/i", "../a.py"), ("d/w", "/vol/data"))
    assert found.links == ("d/o",)
    assert not leads_out("a/b/c", "../../x")
    assert leads_out("a/b/c", "../../../x")


def test_what_is_gone_or_no_file_is_left() -> None:
    listing = Listing(["gone.py", "pipe"], [], [])
    assert choose(listing, {"pipe": Seen(stat.S_IFIFO, 0)}) == Choice((), (), (), ())


def test_a_folder_without_code_is_one_link() -> None:
    found = chosen(["src/a.py"], [], ["src/b.so", "out/1/x", "out/2", "out/2/y", "src/data/z"])
    assert found.links == ("out", "src/b.so", "src/data")


def test_the_folder_where_the_job_starts_is_no_link() -> None:
    assert chosen(["a.py"], [], ["exp/one/x.bin"], "exp/one").links == ("exp/one/x.bin",)
