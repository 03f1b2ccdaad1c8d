"""What people see: a lab in JupyterLab, formgrader, a feedback page. In a real browser."""

from __future__ import annotations

import json
import urllib.request
import zipfile

import nbformat
import pytest

pytest.importorskip("selenium")

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from autograder.course.cells import exercise_of, role_of
from autograder.course.labs import find_lab
from autograder.demo import LOSS, with_mutant
from autograder.gradebook.nbgrader import open_gradebook

PASSES = "✓ lab4.cfg_drift: the check passes"
FAILS = "✗ lab4.cfg_train_loss"
ALL_TEXTS = "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)"


TOP = "return arguments[0].getBoundingClientRect().top"


def wait(browser, condition, seconds=60):
    """Pages draw their rows anew while these arrive: an element that is gone is looked for again."""
    gone = [StaleElementReferenceException]
    return WebDriverWait(browser, seconds, poll_frequency=0.2, ignored_exceptions=gone).until(condition)


def find(browser, css):
    return browser.find_elements(By.CSS_SELECTOR, css)


def text_of(browser, css):
    return "\n".join(browser.execute_script(ALL_TEXTS, css))


def visible(browser, css):
    """The text of what can be seen of a notebook without scrolling."""
    return browser.execute_script(
        """const pane = document.querySelector('.jp-WindowedPanel-outer').getBoundingClientRect();
        return [...document.querySelectorAll(arguments[0])].filter(e => {
            const r = e.getBoundingClientRect();
            return r.bottom > pane.top + 4 && r.top < pane.bottom; }).map(e => e.innerText).join('\\n');""",
        css,
    )


def labelled(browser, css, text):
    return next((e for e in find(browser, css) if e.text.strip() == text and e.is_displayed()), None)


def menu(browser, bar, entry):
    wait(browser, lambda b: labelled(b, ".lm-MenuBar-itemLabel", bar)).click()
    wait(browser, lambda b: labelled(b, ".lm-Menu-itemLabel", entry)).click()


def test_a_student_runs_a_lab_sees_a_check_pass_and_one_fail_and_hands_in(browser, server, course, shot):
    browser.get(server.url(f"lab/tree/labs/{course.lab}/{course.lab}.ipynb"))
    wait(browser, lambda b: "Idle" in text_of(b, ".jp-StatusBar-TextItem, .jp-StatusBar-Left"))
    wait(browser, lambda b: find(b, ".jp-Notebook .jp-CodeCell"))
    menu(browser, "Run", "Run All Cells")
    outputs = ".jp-Notebook .jp-OutputArea-output"
    wait(browser, lambda b: "Written:" in text_of(b, outputs) or "Error" in text_of(b, outputs), 90)
    text = text_of(browser, outputs)
    assert PASSES in text and FAILS in text and "eta" in text
    assert "Traceback" not in text
    # The last cells: the state of all exercises, damaged cells, and the zip.
    state = next(text for text in browser.execute_script(ALL_TEXTS, outputs) if "Checks pass" in text)
    assert "worth 10 of 14 automatic points" in state and "No cell is damaged in lab4_mnist_cfg.ipynb" in state, state
    with zipfile.ZipFile(course.root / "labs" / course.lab / f"{course.lab}.zip") as archive:
        assert sorted(archive.namelist()) == [f"{course.lab}.ipynb", f"{course.lab}.pdf"]
    # The picture stands on the student's page: the check and what it says, and not the answer above it.
    failed = next(e for e in find(browser, ".jp-Notebook .jp-CodeCell") if FAILS in e.text)
    browser.execute_script("arguments[0].scrollIntoView({block: 'start'})", failed)
    assert "def get_train_loss" not in visible(browser, ".jp-Notebook .jp-CodeCell")
    shot("lab")


def test_an_unsaved_answer_is_noticed(browser, server, course):
    """Type into the answer's cell, run it, do not save, run the last cell: the zip must not be an older version."""
    cells = find(browser, ".jp-Notebook .jp-CodeCell")
    answer = next(c for c in cells if "# GRADED: lab4.cfg_drift" in c.text)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", answer)
    answer.find_element(By.CSS_SELECTOR, ".cm-content").click()
    ActionChains(browser).key_down(Keys.CONTROL).send_keys(Keys.END).key_up(Keys.CONTROL).perform()
    ActionChains(browser).send_keys("\n# another thought").key_down(Keys.SHIFT).send_keys(Keys.ENTER).perform()
    ActionChains(browser).key_up(Keys.SHIFT).perform()
    last = next(c for c in cells if 'make_submission("lab4")' in c.text)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", last)
    last.find_element(By.CSS_SELECTOR, ".cm-content").click()
    ActionChains(browser).key_down(Keys.CONTROL).send_keys(Keys.ENTER).key_up(Keys.CONTROL).perform()
    wait(browser, lambda b: f"Not saved: {course.lab}.ipynb holds an older version of lab4.cfg_drift" in last.text)


def rows(server, course):
    """What the gradebook says, through formgrader's own interface."""
    address = server.url(f"formgrader/api/submitted_notebooks/{course.lab}/{course.lab}")
    with urllib.request.urlopen(address, timeout=30) as answer:
        return {row["student"]: row for row in json.load(answer)}


def test_a_ta_grades_a_written_answer_and_the_total_changes(browser, server, course, shot):
    mine = rows(server, course)["ada"]
    assert mine["score"] == mine["code_score"] == 14 and mine["needs_manual_grade"]
    browser.get(server.url(f"formgrader/manage_submissions/{course.lab}"))
    wait(browser, lambda b: "14 / 18" in " ".join(text_of(b, "table").split()))
    browser.get(f"{server.address}/formgrader/submissions/{mine['id']}/")
    wait(browser, lambda b: find(b, "#lab4_vector_field[placeholder='3']"))
    essay = find(browser, "#lab4_unet_essay")[0]
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", essay)
    essay.send_keys("1.5", Keys.TAB)
    wait(browser, lambda b: rows(server, course)["ada"]["score"] == 15.5)
    shot("formgrader")
    browser.get(f"{server.address}/formgrader/manage_submissions/{course.lab}")
    wait(browser, lambda b: "15.5 / 18" in " ".join(text_of(b, "table").split()))
    shot("formgrader-class")


def test_a_feedback_page_names_the_mistake_and_hides_the_tests(browser, course, shot):
    page = course.folder / "feedback" / "chi" / course.lab / f"{course.lab}.html"
    browser.get(page.as_uri())
    text = browser.find_element(By.TAG_NAME, "body").text
    assert "eta_inverted" in text and "you keep labels with probability" in text.lower()
    assert "BEGIN HIDDEN" not in browser.page_source and "utils.checks.graded" not in browser.page_source
    top = browser.find_element(By.CSS_SELECTOR, "table.summary")
    assert "0 of 4" in top.text and "3 of 3" in top.text and "Not graded yet" in top.text
    fraction = "return [...document.querySelector('math mfrac').children].map(e => e.getBoundingClientRect().top)"
    above, below = browser.execute_script(fraction)
    assert above < below, "formulas are drawn, although no script may run"
    shot("feedback")
    top.find_element(By.PARTIAL_LINK_TEXT, "4.2").click()
    verdict = browser.find_element(By.ID, "lab4_cfg_train_loss")
    assert "eta_inverted" in verdict.text and -5 < browser.execute_script(TOP, verdict) < 200


def test_formgraders_button_grades_in_the_sandbox_too(browser, server, course):
    """A late submission with a known mistake, and with an attack that stock nbgrader rewards with all points."""
    place = course.folder / "submitted" / "eve" / course.lab / f"{course.lab}.ipynb"
    place.parent.mkdir(parents=True)
    notebook = with_mutant(LOSS, "mask_inverted")(find_lab("lab4"))
    notebook.cells = [cell for cell in notebook.cells if role_of(cell) not in ("illustration", "check")]
    attack = "import torch\ntorch.allclose = lambda *a, **k: True\ntorch.equal = lambda *a, **k: True"
    notebook.cells.insert(1, nbformat.v4.new_code_cell(attack, metadata={"tags": ["x modal-backdrop full-credit"]}))
    essay = next(c for c in notebook.cells if role_of(c) == "written" and exercise_of(c) == "lab4.unet_essay")
    essay.source = TRAP
    place.write_text(nbformat.writes(notebook), encoding="utf-8")
    browser.get(f"{server.address}/formgrader/manage_submissions/{course.lab}")

    def press(b) -> bool:
        for row in find(b, "tbody tr"):
            if "eve" in row.text:
                row.find_element(By.CSS_SELECTOR, ".autograde a").click()
                return True
        return False

    wait(browser, press)
    wait(browser, lambda b: "Successfully autograded" in b.find_element(By.TAG_NAME, "body").text, 120)
    assert rows(server, course)["eve"]["score"] == 10
    assert list((course.folder / "store").glob("*/*/run.json")), "the run is kept, for regrading"


TRAP = """\
<div class="modal-backdrop fade full-credit"></div><div class="full-credit">the whole answer</div>
<a href="https://example.org/"><div class="modal-backdrop in">x</div></a> <span class="mark-graded no-credit">y</span>
<p style="position:fixed;inset:0;z-index:9999" class="full-credit">z</p>

$\\class{full-credit}{x} \\href{javascript:window.owned=1}{y}$ &#36;\\class{full-credit}{z}&#36;
<img src=x onerror="window.owned=1"><script>window.owned=1</script>
"""
NAME = "<img src=x onerror=\"window.owned=1;fetch('/api/contents')\">"
CLICK_EVERYTHING = """const notebook = document.querySelector('#notebook-container');
const buttons = '.scoring-buttons, .scoring-buttons *, input, textarea';
const all = [...notebook.querySelectorAll('*')].filter(e => !e.matches(buttons) && !e.matches('a[href]'));
all.forEach(e => e.dispatchEvent(new MouseEvent('click', {bubbles: true})));
const box = document.documentElement.getBoundingClientRect();
return [all.length, [...notebook.querySelectorAll('*')].filter(
    e => ['fixed', 'absolute', 'sticky'].includes(getComputedStyle(e).position)
        && !e.closest('.panel-heading, .tooltip')).map(e => e.outerHTML.slice(0, 200))];"""
REQUESTS = "return performance.getEntriesByType('resource').map(e => new URL(e.name).host)"


def test_a_trap_in_an_essay_and_in_a_name_does_nothing_in_formgrader(browser, server, course):
    """A hostile student puts scripts into an essay and a name, and a TA clicks everywhere."""
    with open_gradebook(course.folder) as book:
        book.update_or_create_student("eve", first_name=NAME, last_name=f'"{NAME}', email=NAME)
    before = rows(server, course)["eve"]
    host = server.address.removeprefix("http://")
    pages = [
        "manage_students",
        "manage_students/eve",
        f"manage_students/eve/{course.lab}",
        f"manage_submissions/{course.lab}",
        f"gradebook/{course.lab}/{course.lab}",
        f"submissions/{before['id']}/",
    ]
    for page in pages:
        browser.get(f"{server.address}/formgrader/{page}")
        wait(browser, lambda b: b.execute_script("return document.readyState") == "complete")
        if page.startswith("submissions"):
            wait(browser, lambda b: find(b, "#lab4_vector_field[placeholder='3']"))
            count, moved = browser.execute_script(CLICK_EVERYTHING)
            assert count > 50 and moved == []
            assert "the whole answer" in text_of(browser, "#notebook-container")
            assert NAME in text_of(browser, "nav .name-shown"), "the name is shown, as text"
        else:
            wait(browser, lambda b: find(b, "table tbody tr, #error-500") or "eve" in b.page_source)
        assert not browser.execute_script("return window.owned"), page
        assert set(browser.execute_script(REQUESTS)) <= {host}, page
    after = rows(server, course)["eve"]
    assert (after["score"], after["needs_manual_grade"]) == (before["score"], True)


def test_the_class_report(browser, course, shot):
    browser.get((course.folder / "report" / f"{course.lab}.html").as_uri())
    assert "of 2 submissions graded" in browser.find_element(By.TAG_NAME, "body").text
    names = "return [...document.querySelectorAll('#students tbody tr')].map(r => r.cells[0].textContent)"
    assert browser.execute_script(names) == ["ada", "chi"]
    points = find(browser, "#students th button")[1]
    points.click()
    assert browser.execute_script(names) == ["chi", "ada"], "sorted by points"
    points.click()
    assert browser.execute_script(names) == ["ada", "chi"]
    find(browser, "#students summary")[-1].click()
    assert "eta_inverted" in find(browser, "#students details")[-1].text
    exercises = next(heading for heading in find(browser, "h2") if heading.text == "Exercises")
    browser.execute_script("arguments[0].scrollIntoView()", exercises)
    shot("report")
