"""How benchmarks print: Markdown tables, and the machine they ran on."""

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, columns aligned."""
    widths = [max(len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows]
    head = "| " + " | ".join(cell.ljust(width) for cell, width in zip(heads, widths, strict=True)) + " |"
    return "\n".join([head, "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines])


def machine() -> str:
    """What the figures were measured on, in one line."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("chromadb", "litellm", "onnxruntime", "numpy"))
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}; {packages}"
