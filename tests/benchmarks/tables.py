"""How benchmarks print: Markdown tables, and the machine they ran on."""

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, columns aligned."""
    widths = [max(len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]

    def line(row: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"

    return "\n".join([line(heads), "|" + "|".join("-" * (width + 2) for width in widths) + "|", *map(line, rows)])


def machine() -> str:
    """What the figures were measured on, in one line.

    Recall depends on the release of onnxruntime, which computes the int8 embedder a little differently: with 1.32
    single figures differ from those of 1.31 by up to .03.
    """
    packages = ", ".join(f"{name} {version(name)}" for name in ("chromadb", "litellm", "onnxruntime", "numpy"))
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores, {system}; {packages}"
