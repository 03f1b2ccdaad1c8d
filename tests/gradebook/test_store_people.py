"""Names that archives hold reach the gradebook, where formgrader shows them."""

from __future__ import annotations

import csv
from types import SimpleNamespace

from nbgrader.api import Gradebook

from autograder.course.labs import find_lab
from autograder.gradebook.read_gradebook import row_of
from autograder.gradebook.record_grades import name_students
from autograder.intake.people import Person, clean_email, clean_name, person, write_people


def test_names_are_filled_in_and_what_a_person_typed_is_kept(tmp_path, quick_gradebook):
    with Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}") as book:
        book.add_student("u100")
        book.add_student("ben", first_name="Benjamin", last_name="Bo")
        book.add_student("chi")
    known = {"u100": Person("Ada", "Lovelace", "ada@uni.edu"), "ben": Person("B.", "B", "ben@uni.edu")}
    (tmp_path / "submitted").mkdir()
    write_people(tmp_path / "submitted", known | {"not graded": Person("N", "N")})
    class_run = SimpleNamespace(course=tmp_path, submissions=tmp_path / "submitted")
    assert name_students(class_run) == []
    with Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}") as book:
        found = {s.id: (s.first_name, s.last_name, s.email) for s in book.students}
    assert found == {
        "u100": ("Ada", "Lovelace", "ada@uni.edu"),
        "ben": ("Benjamin", "Bo", "ben@uni.edu"),
        "chi": (None, None, None),
    }
    (tmp_path / "submitted" / "students.csv").write_text("nothing\n")
    assert "no column 'id'" in name_students(class_run)[0]


def test_nbgrader_imports_the_table_too(tmp_path, quick_gradebook):
    """It is what `nbgrader db student import` documents: the columns are those of its database."""
    write_people(tmp_path, {"00123": Person("Ada", "Lovelace", "ada@uni.edu")})
    with (tmp_path / "students.csv").open() as file:
        (row,) = csv.DictReader(file)
    with Gradebook("sqlite:///:memory:") as book:
        student = book.update_or_create_student(row.pop("id"), **row)
        assert (student.id, student.last_name) == ("00123", "Lovelace")


def test_a_row_has_the_name_and_no_comma_too_many():
    def named(first, last):
        student = SimpleNamespace(id="u", first_name=first, last_name=last, email=None)
        submission = {"notebooks": [], "late_submission_penalty": 0, "max_score": 1, "extension": None}
        return row_of(SimpleNamespace(student=student, **submission), find_lab("lab4")).name

    assert named("Ada", "Lovelace") == "Lovelace, Ada" and named("", "lovelaceada") == "lovelaceada"
    assert named(None, None) == "u"


def test_names_are_split_and_defused():
    assert person("Ada Lovelace") == Person("Ada", "Lovelace") == person("Lovelace, Ada")
    assert person("Ana María López") == Person("Ana María", "López") and person("李") == Person("", "李")
    assert clean_name('=HYPERLINK("http://x")\nO\'Brien\u202e,x') == "HYPERLINK( http://x ) O'Brien x"
    assert clean_email("=a@b.c") == "a@b.c" and clean_email('a@b.c"><script>') == clean_email("none") == ""
    assert len(clean_name("x" * 500)) <= 100
