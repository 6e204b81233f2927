"""The code keeps its own rules: style, types, and which room may import which."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
IMPORTS = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
CHECKS = {
    "ruff check": ("-m", "ruff", "check", "."),
    "ruff format": ("-m", "ruff", "format", "--check", "."),
    "mypy": ("-m", "mypy"),
    # import-linter cannot be run with -m.
    "lint-imports": ("-c", IMPORTS, "--no-cache"),
}


@pytest.mark.parametrize("check", CHECKS)
def test_the_code_passes(check: str) -> None:
    """As a person would run it in the project's folder."""
    ran = subprocess.run([sys.executable, *CHECKS[check]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{check}:\n{ran.stdout}{ran.stderr}"
