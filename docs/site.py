"""Gathers the pages of the docs site; checks that the built site loads nothing from other hosts.

`python -m docs.site gather` before MkDocs builds, `python -m docs.site check` afterwards.
"""

import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from html.parser import HTMLParser
from os.path import normpath, relpath
from pathlib import Path
from typing import Final, override

__all__ = ["BrokenLinkError", "external_assets", "gathered", "unguarded"]

ROOT: Final = Path(__file__).parents[1]
SOURCE: Final = ROOT / ".cache" / "docs-site"
SITE: Final = ROOT / "site"
_TOP: Final = ("ARCHITECTURE", "CHANGELOG", "CONTRIBUTING", "SECURITY", "STYLE")
_LISTS: Final = {
    "docs/api": (
        "Topics and HTTP APIs",
        "Generated from the code: the topics as AsyncAPI, and each service's HTTP API as OpenAPI.",
    ),
    "docs/decisions": (
        "Decisions",
        "Decisions, the refused alternatives with the reasons, and when to reconsider.",
    ),
}
_NOT_PAGES: Final = {".py", ".pyc", ".html"}
_FENCED: Final = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(
    r"(?P<text>!?\[[^\]]*\])\((?!https?:|mailto:|#)(?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)"
)
_OUTSIDE: Final = re.compile(r"(https?:)?//")
_CSS_OUTSIDE: Final = re.compile(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^'\")\s]+)")
_POLICY: Final = 'http-equiv="Content-Security-Policy" content="default-src \'self\';'
_LOADING: Final = {"stylesheet", "icon", "preload", "modulepreload", "preconnect", "dns-prefetch"}


class BrokenLinkError(Exception):
    """A page links to a file that does not exist."""


def main(command: str) -> int:
    """Write the pages into the folder that MkDocs reads, or check the built site."""
    if command == "gather":
        shutil.rmtree(SOURCE, ignore_errors=True)
        for place, content in gathered().items():
            (SOURCE / place).parent.mkdir(parents=True, exist_ok=True)
            (SOURCE / place).write_bytes(content)
        return 0
    faults = [
        f"{asset} is loaded from another host: serve it from the site"
        for asset in external_assets(SITE)
    ]
    faults += [f"{page} has no content security policy: see docs/theme" for page in unguarded(SITE)]
    sys.stderr.writelines(f"{fault}\n" for fault in faults)
    return int(bool(faults))


def gathered(root: Path = ROOT) -> dict[str, bytes]:
    """Return the files of the site's source by their place there, with links adjusted to it.

    Raises:
        BrokenLinkError: a page links to a file that does not exist.
    """
    places = _places(root)
    files = {
        place: (root / source).read_bytes()
        for source, place in places.items()
        if source not in _LISTS
    }
    for source, place in places.items():
        if source.endswith(".md"):
            files[place] = _relinked(files[place].decode(), source, places, root).encode()
    for folder, (title, about) in _LISTS.items():
        files[places[folder]] = _list(title, about, folder, places, root).encode()
    return files


def _places(root: Path) -> dict[str, str]:
    """Map each source file to its place in the site, and each listed folder to its list."""
    docs = [path for path in (root / "docs").rglob("*") if path.is_file()]
    found = {
        str(path.relative_to(root)): str(path.relative_to(root / "docs"))
        for path in sorted(docs)
        if path.suffix not in _NOT_PAGES
    }
    found |= {f"{name}.md": f"{name.lower()}.md" for name in _TOP}
    for path in sorted([*root.glob("services/*/README.md"), *root.glob("deploy/*/README.md")]):
        found[str(path.relative_to(root))] = f"packages/{path.parent.name}.md"
    found |= {folder: f"{folder.removeprefix('docs/')}/index.md" for folder in _LISTS}
    return {**found, "shared/README.md": "packages/shared.md", "README.md": "index.md"}


def _relinked(text: str, source: str, places: Mapping[str, str], root: Path) -> str:
    """Point the links outside fenced code to places in the site."""
    parts = _FENCED.split(text)
    parts[::2] = [
        _LINK.sub(partial(_link, source=source, places=places, root=root), part)
        for part in parts[::2]
    ]
    return "".join(parts)


def _link(found: re.Match[str], *, source: str, places: Mapping[str, str], root: Path) -> str:
    """Return one link; for a file that is not part of the site, its text and path."""
    target = normpath(Path(source).parent / found["path"])
    if target in places:
        there = relpath(places[target], Path(places[source]).parent)
        return f"{found['text']}({there}{found['anchor'] or ''})"
    if not (root / target).exists():
        raise BrokenLinkError(f"{source} links to {target}, which does not exist: correct the link")
    return f"{found['text'].strip('![]')} (`{target}`)"


def _list(title: str, about: str, folder: str, places: Mapping[str, str], root: Path) -> str:
    """List the files of a folder; a page by its heading."""
    items = [
        f"- [{_heading(root / source)}]({Path(place).name})"
        for source, place in places.items()
        if Path(source).parent == Path(folder)
    ]
    return f"# {title}\n\n{about}\n\n" + "\n".join(items) + "\n"


def _heading(path: Path) -> str:
    """Return a page's heading; for another file, its name."""
    if path.suffix != ".md":
        return path.name
    return path.read_text().partition("\n")[0].removeprefix("# ")


class _Assets(HTMLParser):
    """Collects the URLs that a page loads from other hosts; ordinary links are not loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        loaded = [found.get("src", ""), *(one.split()[0] for one in _sources(found))]
        if tag == "link" and _LOADING & {*found.get("rel", "").split()}:
            loaded.append(found.get("href", ""))
        self.outside += [url for url in loaded if _OUTSIDE.match(url)]
        self.outside += _CSS_OUTSIDE.findall(found.get("style", ""))

    @override
    def handle_data(self, data: str) -> None:
        if self.lasttag == "style":
            self.outside += _CSS_OUTSIDE.findall(data)


def _sources(attributes: Mapping[str, str]) -> list[str]:
    return [one for one in attributes.get("srcset", "").split(",") if one.strip()]


def external_assets(site: Path) -> Iterator[str]:
    """Return each script, style, font or picture that the site loads from another host."""
    for path in sorted(site.rglob("*.html")):
        page = _Assets()
        page.feed(path.read_text())
        yield from (f"{path.relative_to(site)}: {url}" for url in page.outside)
    for path in sorted(site.rglob("*.css")):
        found = _CSS_OUTSIDE.findall(path.read_text())
        yield from (f"{path.relative_to(site)}: {url}" for url in found)


def unguarded(site: Path) -> list[str]:
    """Return the pages that do not forbid the browser to load anything from other hosts."""
    pages = {path: path.read_text() for path in sorted(site.rglob("*.html"))}
    return [str(path.relative_to(site)) for path, text in pages.items() if _POLICY not in text]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
