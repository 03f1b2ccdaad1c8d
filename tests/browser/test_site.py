"""The site, opened from the disk in a real browser: no server, no network."""

import pytest

pytest.importorskip("selenium")
pytest.importorskip("sphinx", reason="the site's extra is not installed: pip install -e '.[site]'")

from selenium.webdriver.common.by import By

from autograder.course.labs import labs
from docs.site.build import GUIDES
from tests.browser import axe
from tests.browser.live import is_live
from utils.explorables import CATALOGUE

SIZES = (
    "return [...document.querySelectorAll(arguments[0])].map("
    "e => [e.getBoundingClientRect().width, e.getBoundingClientRect().height])"
)
PAGES = [
    *("index.html", "syllabus.html", "mistakes.html", "explorables.html"),
    *(f"explorables/{name}.html" for name in CATALOGUE),
    *(f"labs/{lab.name}/{lab.name}.html" for lab in labs()),
    *(guide.replace(".md", ".html") for guide in GUIDES),
]
# One page of each kind. The others are made of the same parts, and axe takes up to half a minute for each.
OF_EACH_KIND = [
    *("index.html", "mistakes.html"),
    f"explorables/{next(iter(CATALOGUE))}.html",
    f"labs/{labs()[-1].name}/{labs()[-1].name}.html",
    GUIDES[0].replace(".md", ".html"),
]
LOADED = "return [...document.querySelectorAll(arguments[0])].map(e => e.complete ? e.naturalWidth : 0)"


def test_from_the_front_page_to_a_lab(browser, site):
    lab = labs()[0]
    browser.get((site / "index.html").as_uri())
    if not is_live(site):
        assert browser.execute_script(LOADED, "article img")[0] > 300, "the moving picture"
    link = browser.find_element(By.CSS_SELECTOR, f"article a[href*='{lab.name}']")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", link)
    link.click()
    assert browser.current_url.endswith(f"{lab.name}.html")
    browser.execute_script("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
    widths = browser.execute_script(LOADED, ".cell_output img")
    assert len(widths) >= 5 and min(widths) > 200, "figures"
    formulas = browser.execute_script(SIZES, "div.formula math")
    assert len(formulas) > 3 and all(width > 50 and height > 10 for width, height in formulas)
    # A fraction is drawn as one: the numerator stands above the denominator.
    tops = "return [...document.querySelector('div.formula mfrac').children].map(e => e.getBoundingClientRect().top)"
    above, below = browser.execute_script(tops)
    assert above < below
    assert browser.execute_script("return document.fonts.check('16px \"STIX Two Math Local\"')")


def test_folded_hints_and_code_open(browser, site):
    browser.get((site / "labs" / labs()[0].name / f"{labs()[0].name}.html").as_uri())
    for css in ("article details:not(.hide)", "article details.hide"):
        hint = browser.find_element(By.CSS_SELECTOR, css)
        closed = hint.size["height"]
        browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", hint)
        hint.find_element(By.TAG_NAME, "summary").click()
        assert hint.size["height"] > closed + 10


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name not in OF_EACH_KIND)) for name in PAGES]
)
def test_a_page_has_no_serious_fault_of_accessibility_and_fits_a_phone(browser, site, name):
    found = []
    try:
        for width, scheme in axe.VIEWS:
            axe.show(browser, (site / name).as_uri(), width, scheme)
            found += [f"{width} {scheme}: {fault}" for fault in axe.faults(browser)]
            if beyond := axe.sideways(browser):
                found.append(f"{width} {scheme}: the page is {beyond} pixels too wide")
    finally:
        axe.reset(browser)
    assert found == []


@pytest.mark.parametrize("width", [1200, 1100, 1024, 900, 800, 600])
def test_a_page_fits_a_window_of_any_width(browser, site, width):
    """Between a laptop and a phone, the contents stand beside the text, or are folded away."""
    try:
        for name in ("index.html", GUIDES[0].replace(".md", ".html")):
            axe.show(browser, (site / name).as_uri(), width, "light")
            assert axe.sideways(browser) <= 0, name
    finally:
        axe.reset(browser)


def test_these_are_all_pages(site):
    written = {str(path.relative_to(site)) for path in site.rglob("*.html")}
    assert written - set(PAGES) == {"genindex.html", "search.html"}, "pages of Sphinx's own"
