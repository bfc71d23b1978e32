"""That the pages of the reference's features are whole, and that each row has tests that exist."""

from __future__ import annotations

import pytest

from tests.reference.coverage_table import ROOT, is_there
from tests.reference.feature_table import PAGES, STATES, Feature, features, named_tests, sentence

# The rows of section 1 in the notes on the reference, with a line for each member; less is a row that was lost.
LEAST = {"docs/topics/features.md": 213, "docs/topics/features-engine-io.md": 222}

SAYS_NOTHING = frozenset({"", "the same", "left out", "not there", "-", "none"})


@pytest.mark.parametrize("page", PAGES)
class TestPage:
    def test_each_row_has_a_state(self, page):
        wrong = [row.name for row in features(page) if row.state not in STATES]
        assert not wrong, f"the state is one of {STATES}: {wrong}"
        assert len(features(page)) >= LEAST[page]

    def test_no_row_is_there_twice(self, page):
        names = [row.name for row in features(page)]
        assert sorted(names) == sorted(set(names))

    def test_what_differs_says_why(self, page):
        rows = [row for row in features(page) if row.state in {"better", "different", "left out", "later"}]
        silent = [row.name for row in rows if row.here in SAYS_NOTHING]
        assert not silent, f"say why: {silent}"

    def test_each_row_has_tests_that_exist(self, page):
        table = named_tests(page)
        rows = [row for row in features(page) if row.is_tested]
        untested = [row.name for row in rows if not table.get(row.heading, {}).get(row.reference)]
        assert not untested, f"{PAGES[page]} has no tests of: {untested}"
        gone = [test for row in rows for test in table[row.heading][row.reference] if not is_there(test)]
        assert not gone, f"{PAGES[page]} names tests that are no more: {gone}"

    def test_what_is_not_there_has_none(self, page):
        known = {(row.heading, row.reference) for row in features(page) if row.is_tested}
        more = [
            f"{heading} > {name}"
            for heading, of in named_tests(page).items()
            for name in of
            if (heading, name) not in known
        ]
        assert not more, f"{PAGES[page]} has tests of what is no row, or is left out: {more}"

    def test_no_test_is_named_twice_for_a_row(self, page):
        assert not [
            name for of in named_tests(page).values() for name, named in of.items() if len(set(named)) != len(named)
        ]

    def test_the_page_says_how_many(self, page):
        text = (ROOT / page).read_text(encoding="utf-8").replace("\n", " ")
        assert sentence(page) in text, f"{page} must say: {sentence(page)}"


def test_what_has_to_be_tested():
    states = {state: Feature(heading="", reference="", here="", state=state).is_tested for state in STATES}
    assert states == {"same": True, "better": True, "different": True, "left out": False, "later": False}
