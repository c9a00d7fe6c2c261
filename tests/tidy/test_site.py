"""The docs site: its pages hold together, and it loads nothing from outside."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from docs.site import BrokenLinkError, external_assets, gathered, unguarded

ROOT = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a small project with documents."""
    for place, text in {
        "docs/guide.md": "# Guide\n\n[code](../services/a/rules.py), [all](decisions)\n",
        "docs/decisions/0001-one.md": "# 1. One\n\n[guide](../guide.md#top)\n",
        "docs/api/a.json": "{}",
        "services/a/rules.py": "",
        "services/a/README.md": "# a\n\n[guide](../../docs/guide.md)\n",
        "shared/README.md": "# shared\n",
        "README.md": "# Top\n\n[a](services/a/README.md)\n\n```\n[no](link)\n```\n",
        **{f"{name}.md": f"# {name}\n" for name in ("ARCHITECTURE", "CHANGELOG", "CONTRIBUTING")},
        **{f"{name}.md": f"# {name}\n" for name in ("SECURITY", "STYLE")},
    }.items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(text)
    return tmp_path


def test_every_link_of_the_documents_leads_somewhere() -> None:
    """A link in a page is to a file of the repository; a broken one is named."""
    assert "index.md" in gathered()


def test_the_navigation_has_every_page_once() -> None:
    """All pages are in the navigation; of the decisions, their list."""
    nav = list(_pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    assert sorted(nav) == sorted(set(nav))
    pages = {place for place in gathered() if place.endswith(".md")}
    decisions = {place for place in pages if place.startswith("decisions/0")}
    assert set(nav) == pages - decisions


def test_links_follow_their_pages(root: Path) -> None:
    """A page is linked at its place in the site, wherever it stands in the repository."""
    files = gathered(root)
    assert b"[a](packages/a.md)" in files["index.md"]
    assert b"[guide](../guide.md)" in files["packages/a.md"]
    assert b"[guide](../guide.md#top)" in files["decisions/0001-one.md"]


def test_a_file_outside_the_site_is_named_instead(root: Path) -> None:
    """Code is not part of the site: its path stands in place of the link."""
    assert b"code (`services/a/rules.py`)" in gathered(root)["guide.md"]


def test_a_folder_is_linked_as_its_list(root: Path) -> None:
    """Decisions are listed by their headings, and the folder's links lead to the list."""
    files = gathered(root)
    assert b"[all](decisions/index.md)" in files["guide.md"]
    assert b"- [1. One](0001-one.md)" in files["decisions/index.md"]


def test_fenced_code_is_left_as_it_is(root: Path) -> None:
    """What looks like a link in a block of code is code."""
    assert b"[no](link)" in gathered(root)["index.md"]


def test_a_broken_link_is_named(root: Path) -> None:
    """The message says which page links to what."""
    (root / "docs" / "guide.md").write_text("[gone](gone.md)\n")
    with pytest.raises(BrokenLinkError, match=r"docs/guide.md links to docs/gone.md, which does"):
        gathered(root)


@pytest.mark.parametrize(
    "page",
    [
        '<script src="https://cdn.example/a.js"></script>',
        '<link rel="stylesheet" href="//cdn.example/a.css">',
        '<link rel="preconnect" href="https://fonts.example">',
        '<img src="https://cdn.example/a.png">',
        '<img srcset="a.png 1x, https://cdn.example/a.png 2x">',
        "<style>@import 'https://cdn.example/a.css'</style>",
        '<p style="background: url(https://cdn.example/a.png)">',
    ],
)
def test_what_a_page_loads_from_outside_is_found(tmp_path: Path, page: str) -> None:
    """Scripts, styles, fonts and pictures of another host are named with their page."""
    (tmp_path / "index.html").write_text(page)
    assert [asset.partition(": ")[0] for asset in external_assets(tmp_path)] == ["index.html"]


def test_what_a_style_sheet_loads_from_outside_is_found(tmp_path: Path) -> None:
    """A font is most often named there."""
    (tmp_path / "a.css").write_text("@font-face {src: url('https://fonts.example/a.woff2')}")
    assert list(external_assets(tmp_path)) == ["a.css: https://fonts.example/a.woff2"]


def test_links_to_follow_are_no_assets(tmp_path: Path) -> None:
    """A reader may leave the site by a link, and what the site has itself is not outside."""
    page = '<a href="https://example.org">x</a><script src="a.js"></script><img src="data:,">'
    (tmp_path / "index.html").write_text(page)
    assert list(external_assets(tmp_path)) == []


def test_a_page_without_a_policy_is_found(tmp_path: Path) -> None:
    """The theme's template puts the content security policy into each page."""
    (tmp_path / "a.html").write_text((ROOT / "docs" / "theme" / "main.html").read_text())
    (tmp_path / "b.html").write_text("<p>")
    assert unguarded(tmp_path) == ["b.html"]


def _pages(nav: object) -> Iterator[str]:
    match nav:
        case list():
            for item in nav:
                yield from _pages(item)
        case dict():
            yield from _pages(list(nav.values()))
        case _:
            yield str(nav)
