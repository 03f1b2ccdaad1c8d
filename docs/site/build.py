"""Build the site, for `make site`: the live page, the labs, the explorables, the board of mistakes, and the guides.

The result is static HTML that needs no network: build/site/index.html. Where npm or the ONNX exporter is missing, the
front page shows a film in place of the live network, and the build says so. The exit code is 1 if a link is broken, if
a page would load something from another server, or if it shows a line of a model answer.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
import sys
from binascii import a2b_base64
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
from nbformat import NotebookNode

from autograder import ROOT
from autograder.course.cells import BEGIN, END, HAND_IN_TAGS, role_of
from autograder.course.labs import Lab, colab_address, labs, title
from docs.site.board.page import write_board
from docs.site.explorables import links, write_explorables
from docs.site.live.pack import install, pack
from utils.checks.exercise import load

HERE = Path(__file__).parent
SITE = ROOT / "build" / "site"
GUIDES = (
    "docs/student.md",
    "docs/instructor.md",
    "docs/exchange.md",
    "docs/machines.md",
    "docs/cluster.md",
    "docs/security.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
)
BADGE = re.compile(r"\[!\[Open in Colab\]\([^)]*\)\]\([^)]*\)\n*")
COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
FILM = (
    "![Ten digits, 0 to 9, form from noise: above with guidance scale 1, below with 3, from the same noise]"
    "(docs/images/guidance.gif)"
)
# What the theme and the notebooks' pages lack for screen readers and keyboards.
ACCESSIBLE = {
    'role="heading">': 'role="heading" aria-level="2">',
    '<summary aria-label="Toggle hidden content">': "<summary>",  # the label would hide the text
    "<pre>": '<pre tabindex="0">',  # so that the arrow keys scroll long lines
    '<div class="table-wrapper': '<div tabindex="0" class="table-wrapper',  # and wide tables
}
# A picture that MyST-NB wrote: it calls the file by the hash of its content, and the text, too.
FIGURE = re.compile(r'alt="[^"]*?([0-9a-f]{64})\.\w+"')
LONG = 30  # letters: a shorter line of a model answer may appear on a page by chance


def build(site: Path = SITE) -> int:
    """Write the site, print its problems, and return the exit code: 1 if there are any, otherwise 0."""
    try:
        from sphinx.cmd.build import build_main
    except ImportError:
        print('Sphinx is missing. `make site` installs it; so does: pip install -e ".[site]"', file=sys.stderr)
        return 1
    source = site.with_name(f"{site.name}-source")
    for folder in (source, site):
        shutil.rmtree(folder, ignore_errors=True)
    missing = live_misses()
    if missing:
        print(f"The site is built without the live network, because {missing}.", file=sys.stderr)
    write_source(source, live=not missing)
    # -W: a link between the pages that leads nowhere is an error.
    flags = ["-q", "-W", "--keep-going", "-E", "-b", "html", "-c", str(HERE), "-d", str(source / ".doctrees")]
    if build_main([*flags, str(source), str(site)]) != 0:
        return 1
    make_accessible(site)
    if not missing:
        pack(site, cache=ROOT / "build" / "live")
        shutil.copy(ROOT / "docs" / "images" / "guidance.gif", site / "live")
    problems = [*broken_links(site), *answers_shown(site), *undescribed(site)]
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(list(site.rglob('*.html')))} pages: {site / 'index.html'}")
    return 1 if problems else 0


def make_accessible(site: Path) -> None:
    """Repair the faults of accessibility that come with Sphinx's theme and with MyST-NB."""
    texts = figure_texts()
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        for fault, repaired in ACCESSIBLE.items():
            text = text.replace(fault, repaired)
        text = FIGURE.sub(lambda match: f'alt="{escape(texts.get(match[1], ""))}"', text)
        path.write_text(text, encoding="utf-8")


def figure_texts() -> dict[str, str]:
    """Return what each figure of the labs shows, by the hash of the picture."""
    texts = {}
    for lab in labs():
        for cell in nbformat.read(lab.solution, as_version=4).cells:
            for output in cell.get("outputs", []):
                for kind, facts in output.get("metadata", {}).items():
                    if kind in output.get("data", {}) and kind.startswith("image/"):
                        picture = a2b_base64("".join(output.data[kind]))
                        texts[hashlib.sha256(picture).hexdigest()] = facts.get("alt", "")
    return texts


def live_misses() -> str:
    """Return why the live network cannot be built, or nothing."""
    for name in ("onnx", "onnxscript"):
        if importlib.util.find_spec(name) is None:
            return f"the package {name} is missing"
    return install()


def write_source(source: Path, live: bool) -> None:
    """Write the pages for Sphinx in the repository's own layout, so that links between them work.

    Args:
        source: the folder to write them to.
        live: whether the front page has the live network. Without it, it shows a film.
    """
    for name in GUIDES:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    shutil.copytree(ROOT / "docs" / "images", source / "docs" / "images")
    for lab in labs():
        page = source / "labs" / lab.name / f"{lab.name}.ipynb"
        page.parent.mkdir(parents=True)
        nbformat.write(lab_page(lab), page)
    (source / "index.md").write_text(front_page(live), encoding="utf-8")
    write_board(source)
    write_explorables(source)
    (source / "syllabus.md").write_text(syllabus(), encoding="utf-8")


def front_page(live: bool) -> str:
    """Return the text of the front page, with the live network or with a film in its place."""
    text = (HERE / "index.md").read_text(encoding="utf-8")
    html = (HERE / "live" / "live.html").read_text(encoding="utf-8")
    text = text.replace("{live}", f"````{{raw}} html\n{html}````" if live else FILM)
    text = text.replace("{labs}", "\n".join(lab_table()))
    return text.replace("{lab_pages}", "\n".join(f"labs/{lab.name}/{lab.name}" for lab in labs()))


def lab_table() -> list[str]:
    """Return the lines of a table of labs, with the exercises and points of each."""
    rows = ["| lab | exercises | points |", "|---|---:|---:|"]
    for lab in labs():
        entries = load(lab.short)
        points = sum(entry.points for entry in entries)
        rows.append(f"| [{title(lab)}](labs/{lab.name}/{lab.name}.ipynb) | {len(entries)} | {points:g} |")
    return rows


def syllabus() -> str:
    """Return the page that lists all exercises and their points."""
    lines = [
        "# Syllabus",
        "",
        "The labs are independent of each other: if you are stuck in one, you can do the next. Each takes three to six "
        "hours. Points come from two sources: the autograder tests your code on inputs that you have not seen; a "
        "person reads your *written* answers with a rubric.",
        "",
        *lab_table(),
    ]
    for lab in labs():
        entries = load(lab.short)
        lines += ["", f"## {title(lab)}", ""]
        lines += ["| | exercise | name | points |", "|---|---|---|---:|"]
        for number, entry in enumerate(entries, 1):
            kind = " *(written)*" if entry.manual else ""
            lines.append(f"| {lab.short[3:]}.{number} | {entry.title}{kind} | `{entry.name}` | {entry.points:g} |")
        lines.append(f"| | | | **{sum(entry.points for entry in entries):g}** |")
    return "\n".join(lines) + "\n"


def lab_page(lab: Lab) -> NotebookNode:
    """Return the student notebook, with the instructor notebook's outputs in the cells that both share."""
    notebook = nbformat.read(lab.student, as_version=4)
    executed = {cell.id: cell for cell in nbformat.read(lab.solution, as_version=4).cells}
    cells, parts = [], 0
    for cell in notebook.cells:
        role = role_of(cell)
        if role == "test":  # locked, and a comment
            continue
        if cell.cell_type == "markdown":
            parts += bool(re.search(r"^# ", cell.source, re.M))
            cell.source = page_text(lab, cell.source, first=not cells, inside=parts > 1)
        else:
            twin = executed.get(cell.id)
            same = twin is not None and twin.source == cell.source and role not in ("check", "answer")
            cell.outputs = shown(twin.outputs) if same and HAND_IN_TAGS[0] not in cell.metadata.get("tags", []) else []
            cell.execution_count = None
            cell.metadata = NotebookNode(tags=["hide-input"] if role in ("setup", "illustration") else [])
        cells.append(cell)
    notebook.cells = cells
    return notebook


def shown(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Return the outputs without stderr, which holds warnings and progress bars."""
    return [output for output in outputs if output.output_type != "stream" or output.name == "stdout"]


def page_text(lab: Lab, text: str, first: bool, inside: bool) -> str:
    """Return a cell's text for the site, without rulers and comments, and with a link in place of the badge.

    Args:
        lab: the lab, for the address of the link.
        text: the cell's Markdown.
        first: whether it is the first cell, which holds the page's only title and gets the link.
        inside: whether it follows a title, so that its headings move one level down.
    """
    text = COMMENT.sub("", BADGE.sub("", text)).strip()
    text = re.sub(r"\A---\n+", "", text)
    if first:
        return f"{text}\n\n[Open in Colab]({colab_address(lab)}). {links(lab.short)}"
    return deeper(text) if inside else text


def deeper(text: str) -> str:
    """Move every heading one level down, but not the comments in code blocks."""
    parts = re.split(r"(^(?:> ?)?```.*?^(?:> ?)?```[ \t]*$)", text, flags=re.M | re.S)
    return "".join(part if i % 2 else re.sub(r"^(#+ )", r"#\1", part, flags=re.M) for i, part in enumerate(parts))


class Page(HTMLParser):
    """Links, names and text of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.links: list[str] = []  # what a reader may click on
        self.loads: list[str] = []  # what the browser fetches by itself
        self.names: set[str] = set()
        self.words: list[str] = []
        self.undescribed = 0  # pictures without alternative text
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        """Collect the links, names and loaded addresses of a tag."""
        values = dict(attributes)
        self.names |= {values[key] for key in ("id", "name") if values.get(key)}
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        elif tag == "link" and values.get("href") and values.get("rel") not in ("canonical",):
            self.loads.append(values["href"])
        if values.get("src"):
            self.loads.append(values["src"])
        if tag == "img":
            self.undescribed += not values.get("alt")

    def handle_data(self, data):
        """Collect the text between tags."""
        self.words.append(data)


def broken_links(site: Path) -> list[str]:
    """Return a line for each broken link inside the site, and for each file that would come from another server."""
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    problems = []
    for path, page in pages.items():
        name = path.relative_to(site.resolve())
        for link in dict.fromkeys([*page.links, *page.loads]):
            parts = urlsplit(link)
            if parts.scheme == "data":
                continue
            if parts.scheme or parts.netloc:
                if link in page.loads:
                    problems.append(f"{name} loads {link} from elsewhere")
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                problems.append(f"{name} links to {link}, which is not there")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].names:
                problems.append(f"{name} links to {link}: no such place on that page")
    for path in sorted(site.rglob("*.css")):
        for link in re.findall(r"""(?:url\(|@import )["']?(https?:[^"')\s]+|//[^"')\s]+)""", path.read_text("utf-8")):
            problems.append(f"{path.relative_to(site)} loads {link} from elsewhere")
    return problems


def undescribed(site: Path) -> list[str]:
    """Return one line for each page with pictures of which nothing tells what they show."""
    counts = {path: Page(path.read_text(encoding="utf-8")).undescribed for path in sorted(site.rglob("*.html"))}
    return [f"{path.relative_to(site)} has {n} pictures without a sentence" for path, n in counts.items() if n]


def secrets(lab: Lab) -> set[str]:
    """Return the lines of model answers, rubrics and hidden tests that students must not see, without their spaces."""
    public = squeeze("\n".join(cell.source for cell in nbformat.read(lab.student, as_version=4).cells))
    lines = set()
    for cell in nbformat.read(lab.solution, as_version=4).cells:
        for begin, end in ((BEGIN, END), (BEGIN[4:], END[4:]), ("### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS")):
            for part in re.findall(f"{re.escape(begin)}(.*?){re.escape(end)}", cell.source, re.DOTALL):
                lines |= {squeeze(line) for line in part.splitlines() if len(line.strip()) >= LONG}
    return {line for line in lines if line not in public}


def answers_shown(site: Path) -> list[str]:
    """Return one line for each place where the site shows a part of an answer."""
    pages = {path: squeeze("".join(Page(path.read_text("utf-8")).words)) for path in sorted(site.rglob("*.html"))}
    return [
        f"{path.relative_to(site)} shows a line of {lab.name}'s answers: {line[:60]}…"
        for lab in labs()
        for line in sorted(secrets(lab))
        for path, text in pages.items()
        if line in text
    ]


def squeeze(text: str) -> str:
    """Return a text without its white space."""
    return re.sub(r"\s", "", text)


if __name__ == "__main__":
    sys.exit(build())
