"""That the tables of the reference's cases are whole and true, and that the documentation says what they say."""

from __future__ import annotations

import pytest

from tests.reference.coverage_table import ROOT, TABLES, Case, cases, is_there, names_in, sentence, waiting_for

# As counted in the reference's source of 25 June 2026: its test files without those of types, skipped cases among them.
COUNTS = {"Engine.IO": 197, "Socket.IO": 216}


@pytest.mark.parametrize("name", TABLES)
class TestTable:
    def test_all_cases_are_there(self, name):
        assert len(cases(name)) == COUNTS[name]

    def test_no_title_is_there_twice(self, name):
        titles = [case.title for case in cases(name)]
        assert len(set(titles)) == len(titles)

    def test_each_test_that_is_named_exists(self, name):
        gone = [test for case in cases(name) for test in case.tests if not is_there(test)]
        assert not gone, f"{TABLES[name]} names tests that are no more: {', '.join(gone)}"

    def test_no_test_is_named_twice_for_a_case(self, name):
        assert not [case.title for case in cases(name) if len(set(case.tests)) != len(case.tests)]

    def test_the_documentation_says_how_many(self, name):
        print(sentence(name), dict(waiting_for(name)))
        page = (ROOT / "docs/topics/conformance.md").read_text(encoding="utf-8")
        assert sentence(name) in page, f"docs/topics/conformance.md must say: {sentence(name)}"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"tests": ("tests/x.py::test_x",), "left_out": "why"},
        {"left_out": "why", "pending": "what"},
        {"tests": (), "differs": "how"},
        {"left_out": "why", "differs": "how"},
    ],
)
def test_a_case_has_one_state(fields):
    with pytest.raises(ValueError, match="either covered by tests, or left out, or pending"):
        Case(title="a case", **fields)


def test_what_counts_as_a_test():
    here = "tests/reference/test_coverage_table.py"
    assert is_there(f"{here}::test_what_counts_as_a_test")
    assert is_there(f"{here}::TestTable::test_all_cases_are_there")
    for none in (here, f"{here}::TestTable", f"{here}::test_all_cases_are_there", f"{here}::COUNTS", "nowhere::test_x"):
        assert not is_there(none)
    assert not names_in("tests/nowhere.py")
