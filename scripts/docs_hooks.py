"""MkDocs hooks: pages that live outside docs/ join the site, and links work on it as they do in the repository.

Pages link to each other, and to sources, by relative paths of the repository. On the site, links to `PAGES` lead to
their copies, and links to files that the site does not hold become plain text.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
# Path in the repository -> page of the site.
PAGES = {
    "CONTRIBUTING.md": "contributing.md",
    "RESPONSIBLE_USE.md": "responsible_use.md",
    "benchmarks/README.md": "benchmarks.md",
    "CHANGELOG.md": "changelog.md",
    "THIRD_PARTY.md": "third_party.md",
}
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^()\s]+)\)")


def on_files(files, config):
    """Adds the pages from outside of docs/."""
    for path, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Turns links between files of the repository into links between pages."""
    here = page.file.src_uri
    source = {page: path for path, page in PAGES.items()}.get(here, f"docs/{here}")

    def link(match):
        picture, text, target = match.groups()
        if re.match(r"[a-z]+:|#", target):
            return match[0]
        path, mark, anchor = target.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        uri = PAGES.get(path, path.removeprefix("docs/") if path.startswith("docs/") else None)
        if uri is None:
            if not (ROOT / path).exists():
                return match[0]  # which a strict build refuses
            return text
        return f"{picture}[{text}]({posixpath.relpath(uri, posixpath.dirname(here) or '.')}{mark}{anchor})"

    return _LINK.sub(link, markdown)
