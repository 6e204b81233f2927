"""The versions in pyproject.toml agree with each other and with what `doctor` says."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from memchat.doctor import environment

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
RANGES: dict[str, SpecifierSet] = {
    canonicalize_name(found.name): found.specifier
    for found in map(Requirement, [*PROJECT["dependencies"], *EXTRAS["serve"], *EXTRAS["mcp"]])
}
PINS: dict[str, str] = {
    canonicalize_name(found.name): next(iter(found.specifier)).version
    for found in map(Requirement, [*EXTRAS["test"], *EXTRAS["dev"]])
    if not found.extras
}


@pytest.mark.parametrize("package", RANGES)
def test_the_tests_run_with_one_version_out_of_each_range(package: str) -> None:
    """What memchat uses has a lower and an upper bound, and a pin between them."""
    assert {bound.operator for bound in RANGES[package]} == {">=", "<"}
    assert PINS[package] in RANGES[package]


def test_whatever_the_tests_need_is_pinned() -> None:
    """A release of tomorrow changes nothing in them."""
    needed = [Requirement(text) for text in [*EXTRAS["test"], *EXTRAS["dev"]] if "[" not in text]
    assert [str(found) for found in needed if [bound.operator for bound in found.specifier] != ["=="]] == []


@pytest.mark.parametrize("package", environment.RANGES)
def test_doctor_wants_the_versions_that_the_package_wants(package: str) -> None:
    """It says so of any other version, as pip may have been told to ignore a range."""
    least, below = (".".join(map(str, numbers)) for numbers in environment.RANGES[package])
    assert {str(bound) for bound in RANGES[package]} == {f">={least}", f"<{below}"}
