"""Every relative link and #anchor in the repository's Markdown leads somewhere."""

from __future__ import annotations

import html
import os
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
NOT_OURS = {".git", ".venv", ".venv-test", "node_modules", "build", "dist"}
FENCE = re.compile(r"^ {0,3}(```+|~~~+).*?^ {0,3}\1[`~]*[ \t]*$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
LINK = re.compile(r"\]\(\s*<?([^\s<>()]+(?:\([^\s()]*\)[^\s()]*)*)>?(?:\s+[\"'(][^\n]*?[\"')])?\s*\)")
REFERENCE = re.compile(r"^ {0,3}\[[^\]]+\]:\s+<?(\S+?)>?(?:\s.*)?$", re.MULTILINE)
ATTRIBUTE = re.compile(r"<(?:a|img)\b[^>]*?\b(?:href|src)=[\"']([^\"']+)[\"']", re.IGNORECASE)
HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.+?)(?:[ \t]+#+)?[ \t]*$", re.MULTILINE)
UNDERLINED = re.compile(r"^ {0,3}(\S.*)\n {0,3}(?:=+|-+)[ \t]*$", re.MULTILINE)
ID = re.compile(r"<[a-z]+\b[^>]*?\b(?:id|name)=[\"']([^\"']+)[\"']", re.IGNORECASE)


def markdown_files() -> Iterator[Path]:
    """Yield the repository's own Markdown files, those of hidden folders too."""
    for folder, folders, names in os.walk(REPOSITORY):
        folders[:] = [name for name in folders if name not in NOT_OURS and not name.endswith("_cache")]
        yield from (Path(folder, name) for name in names if name.endswith(".md"))


def slug(heading: str) -> str:
    """Return the anchor that GitHub gives a heading: its text in small letters, with hyphens for blanks."""
    shown = re.sub(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])", r"\1", heading)
    shown = html.unescape(re.sub(r"<[^>]+>", "", shown)).replace("*", "")
    return re.sub(r"[^\w\- ]", "", shown.strip().lower()).replace(" ", "-")


@cache
def anchors(path: Path) -> set[str]:
    """Return the anchors of a Markdown file; a heading's second occurrence ends in -1."""
    text = FENCE.sub("", COMMENT.sub("", path.read_text("utf-8")))
    found: set[str] = set(ID.findall(text))
    counts: dict[str, int] = {}
    headings = [*HEADING.finditer(text), *UNDERLINED.finditer(text)]
    for heading in sorted(headings, key=lambda match: match.start()):
        name = slug(heading[1])
        count = counts.get(name, 0)
        found.add(f"{name}-{count}" if count else name)
        counts[name] = count + 1
    return found


def links(text: str) -> list[str]:
    """Return the targets of a Markdown text's links and pictures, without those shown as code."""
    prose = CODE.sub("", FENCE.sub("", COMMENT.sub("", text)))
    return [*LINK.findall(prose), *REFERENCE.findall(prose), *ATTRIBUTE.findall(prose)]


def broken(path: Path, link: str) -> str | None:
    """Say what is wrong with a link in `path`; None if it leads somewhere or leaves the repository."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_relative_to(REPOSITORY):
        return "leaves the repository"
    if not target.exists():
        return "no such file"
    if parts.fragment and target.suffix == ".md" and unquote(parts.fragment) not in anchors(target):
        return "no such heading"
    return None


def test_every_link_and_anchor_in_the_documentation_exists() -> None:
    wrong = [
        f"{path.relative_to(REPOSITORY)}: {link}: {fault}"
        for path in sorted(markdown_files())
        for link in links(path.read_text("utf-8"))
        if (fault := broken(path, link))
    ]
    assert not wrong, "\n".join(wrong)


def test_every_markdown_file_of_the_repository_is_looked_at() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "*.md"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("no git, or no clone: the files are looked at as they lie here")
    assert set(listed.stdout.split("\0")) - {""} <= {
        path.relative_to(REPOSITORY).as_posix() for path in markdown_files()
    }


@pytest.mark.parametrize(
    ("link", "fault"),
    [
        ("docs/architecture.md", None),
        ("docs", None),
        ("https://example.org/nowhere", None),
        ("mailto:somebody@example.org", None),
        ("docs/no-such.md", "no such file"),
        ("docs/architecture.md#no-such-heading", "no such heading"),
        ("#no-such-heading", "no such heading"),
        ("../elsewhere.md", "leaves the repository"),
    ],
)
def test_a_broken_link_is_found(link: str, fault: str | None) -> None:
    text = f"See [the page]({link}), and `[no](link.md)`.\n\n```md\n[no](link.md)\n```\n"
    assert links(text) == [link]
    assert broken(REPOSITORY / "README.md", link) == fault


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("What sets the limit at 100,000 workspaces", "what-sets-the-limit-at-100000-workspaces"),
        ("`gwevent doctor --live`", "gwevent-doctor---live"),
        ("Upgrade & rollback", "upgrade--rollback"),
        ("[Links](docs) and *stress*", "links-and-stress"),
        ("Dead man's switch", "dead-mans-switch"),
        ("free_mb", "free_mb"),
    ],
)
def test_anchors_are_those_that_github_makes(heading: str, anchor: str) -> None:
    assert slug(heading) == anchor


def test_the_second_of_two_equal_headings_is_numbered(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One\n\nTwo\n---\n\n## One\n\n```sh\n# no heading\n```\n")
    assert anchors(page) == {"one", "two", "one-1"}


SECTION = re.compile(
    r'(?P<file>[\w/.-]+\.md), "(?P<name>[^"\n]+)"|see "(?P<first>[^"\n]+)" in (?P<second>[\w/.-]+\.md)'
)
"""A section that a text names by its title instead of by a link."""


def named_sections() -> Iterator[tuple[str, Path, str]]:
    """Yield each place that names a section: the file it stands in, the document, and the title."""
    for folder in ("bot", "formatters", "deploy", "docs", ".github"):
        for path in sorted((REPOSITORY / folder).rglob("*")):
            if path.suffix in {".py", ".md", ".yaml", ".env", ".service"}:
                for match in SECTION.finditer(path.read_text("utf-8")):
                    document = REPOSITORY / (match["file"] or match["second"])
                    yield str(path.relative_to(REPOSITORY)), document, match["name"] or match["first"]


def test_every_section_that_is_named_by_its_title_exists() -> None:
    found = list(named_sections())
    lost = [
        place
        for place in found
        if not re.search(rf"^(?:#+ |\*\*){re.escape(place[2])}", place[1].read_text("utf-8"), re.MULTILINE)
    ]
    assert lost == [] and len(found) >= 5
