"""The pages under docs/ agree with the program."""

import re
from pathlib import Path

import pytest

from tests.schema_page import PAGE, page

ROOT = Path(__file__).parents[1]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), *(ROOT / ".github").glob("*.md"), ROOT / "README.md"])


def test_the_schema_page_is_the_schema() -> None:
    """Run `python -m tests.schema_page > docs/schema.md` after a new migration."""
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_between_pages_leads_somewhere(path: Path) -> None:
    """Relative links name files that exist."""
    for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_module_named_in_a_page_exists(path: Path) -> None:
    """A page that names `memchat/…` or `tests/…` names what is there."""
    for name in re.findall(r"`((?:memchat|tests)/[\w./]*\w/?)`", path.read_text(encoding="utf-8")):
        assert (ROOT / name).exists(), name
