"""The pages of the reference's features, row by row, and the tests of each row: read, and counted.

A page has a table for each kind; its columns are what the reference has, what is here, and the state. The tests stand in
a TOML file for each page, under the table's heading and the row's first column: they would be in the way of who reads it.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.reference.coverage_table import ROOT

STATES = ("same", "better", "different", "left out", "later")
UNTESTED = frozenset({"left out", "later"})
"""What is not there has nothing to be tested."""

PAGES = {
    "docs/topics/features.md": "features.toml",
    "docs/topics/features-engine-io.md": "features_engine_io.toml",
}


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One row of a page."""

    heading: str
    reference: str
    here: str
    state: str

    @property
    def is_tested(self) -> bool:
        """There must be tests."""
        return self.state not in UNTESTED

    @property
    def name(self) -> str:
        """How it is named in messages."""
        return f"{self.heading} > {self.reference}"


def features(page: str) -> list[Feature]:
    """Read the rows of a page.

    Raises:
        ValueError: a row that has not three columns.
    """
    found, heading = [], ""
    for line in (ROOT / page).read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        elif line.startswith("|") and not line.startswith(("| reference | here |", "|---")):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            if len(cells) != 3:
                msg = f"{page}: a row has three columns, reference, here and state: {line}"
                raise ValueError(msg)
            reference, here, state = cells
            found.append(Feature(heading=heading, reference=reference, here=here, state=state))
    return found


def named_tests(page: str) -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Read the tests, by heading and first column; TOML itself refuses a row that is there twice."""
    return tomllib.loads((Path(__file__).parent / PAGES[page]).read_text(encoding="utf-8"))


def sentence(page: str) -> str:
    """What a page says of itself."""
    rows = features(page)
    counted = Counter(row.state for row in rows)
    *most, last = (f"{counted[state]} {WORDS[state]}" for state in STATES if counted[state])
    return f"Of {len(rows)} features {', '.join(most)} and {last}."


WORDS = {
    "same": "are the same",
    "better": "better",
    "different": "different",
    "left out": "left out",
    "later": "come later",
}


if __name__ == "__main__":
    for each in PAGES:
        print(each, sentence(each))
