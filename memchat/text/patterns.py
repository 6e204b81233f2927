"""Compile patterns when they are first used, since some take longer than most commands."""

import re
from functools import cache


@cache
def compiled(*alternatives: str) -> re.Pattern[str]:
    """Compile a pattern that matches any of `alternatives` and ignores case."""
    return re.compile("|".join(alternatives), re.IGNORECASE)
