"""The documentation speaks of what there is: links, files, commands, flags, settings."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlq.settings import reference
from mlq_cli.invocation.parser import new_parser
from mlq_cli.main import command_module, command_names

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")])

FENCED = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
INLINE = re.compile(r"`([^`\n]+)`")
OUR_FILE = re.compile(
    r"(?<![\w/.])(?:queue|worker|cli|docs|tests|systemd|examples|bench)/[\w./-]*\w\.\w+|\.ci/run"
)


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """The anchors GitHub makes of a page's headings."""
    prose = FENCED.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


def typed_commands() -> Iterator[tuple[str, list[str]]]:
    """Every line of a console block that runs mlq, as the words after `mlq`."""
    for page in PAGES:
        for language, block in FENCED.findall(page.read_text(encoding="utf-8")):
            for line in re.findall(r"^ *\$ (.+)$", block, re.MULTILINE) * (language == "console"):
                yield from ((page_id(page), words) for words in mlq_calls(line))


def mlq_calls(line: str) -> Iterator[list[str]]:
    tokens = shlex.shlex(line, posix=True, punctuation_chars="|&;>")
    tokens.whitespace_split = True
    words: list[str] = []
    for token in [*tokens, ";"]:
        if set(token) <= set("|&;>"):
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            if words[:1] == ["mlq"]:
                yield words[1:]
            words = []
        else:
            words.append(token)


def parser_of(name: str) -> argparse.ArgumentParser:
    module = command_module(name)
    parser = new_parser(f"mlq {name}", module.HELP, module.EXAMPLES)
    module.configure(parser)
    return parser


def flags_of(parser: argparse.ArgumentParser, words: list[str]) -> set[str]:
    """The flags of a command, or of the action of it that the words name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            named = [action.choices[word] for word in words if word in action.choices]
            inner = named or list(action.choices.values())
            return {flag for one in inner for flag in one._option_string_actions}
    return set(parser._option_string_actions)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_relative_link_resolves(page: Path) -> None:
    prose = FENCED.sub("", page.read_text(encoding="utf-8"))
    broken = []
    for target in LINK.findall(prose):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        found = (page.parent / path).resolve() if path else page
        if not found.exists() or (anchor and anchor not in anchors(found)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_file_of_ours_that_is_named_exists(page: Path) -> None:
    named = set(OUR_FILE.findall(page.read_text(encoding="utf-8")))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_command_typed_is_understood() -> None:
    typed = list(typed_commands())
    assert len(typed) > 20
    for page, words in typed:
        if words[:1] == ["--version"]:
            continue
        assert words[0] in command_names(), (page, words)
        parser_of(words[0]).parse_args(words[1:])  # raises InvalidInputError, naming the word


def test_every_command_and_flag_named_in_passing_exists() -> None:
    named = [
        (page_id(page), found[1], found[2].split(" -- ")[0].split())
        for page in PAGES
        for code in INLINE.findall(FENCED.sub("", page.read_text(encoding="utf-8")))
        if (found := re.fullmatch(r"mlq ([a-z]+)\b(.*)", code))
    ]
    assert len(named) > 20
    for page_name, command, words in named:
        assert command in command_names(), (page_name, command)
        flags = {word for word in words if word.startswith("-") and word != "--"}
        known = {"--help"} | flags_of(parser_of(command), words)
        assert flags <= known, (page_name, command, flags - known)


def test_every_make_target_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        target
        for page in PAGES
        for target in re.findall(r"(?:`|\$ )make ([a-z]+)", page.read_text(encoding="utf-8"))
    }
    assert {"demo", "test"} <= named <= targets


def test_the_table_of_settings_is_current() -> None:
    page = (ROOT / reference.DEFAULT_PAGE).read_text(encoding="utf-8")
    assert page == reference.rewritten(page), "write it anew: python -m mlq.settings.reference"
