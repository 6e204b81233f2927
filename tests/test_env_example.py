"""`.env.example` names every setting, and none that is not there."""

import re
from pathlib import Path

from memchat.config import SETTING_NAMES, load_settings
from memchat.llm.model_choice import PROVIDERS

EXAMPLE = (Path(__file__).parents[1] / ".env.example").read_text(encoding="utf-8")
LINES = re.findall(r"^# ([A-Z0-9_]+)=(.*)$", EXAMPLE, re.MULTILINE)


def test_every_setting_stands_in_the_example_and_nothing_else() -> None:
    """Each once, with the home that is no setting of the file."""
    named = [name for name, _ in LINES if name.startswith("MEMCHAT_")]
    assert sorted(named) == sorted(["MEMCHAT_HOME", *(f"MEMCHAT_{name.upper()}" for name in SETTING_NAMES)])


def test_every_provider_key_stands_in_the_example_in_the_order_they_are_looked_for() -> None:
    """So that a person sees which one decides."""
    assert [name for name, _ in LINES if name.endswith("_API_KEY")] == [provider.key for provider in PROVIDERS]


def test_nothing_is_set_and_what_is_suggested_is_the_default(tmp_path: Path) -> None:
    """Copied as it is the file changes nothing; with its lines uncommented it holds good values."""
    assert all(line.startswith("#") or not line.strip() for line in EXAMPLE.splitlines())
    suggested = {name: value for name, value in LINES if name.startswith("MEMCHAT_") and value}
    settings = load_settings({**suggested, "MEMCHAT_HOME": str(tmp_path)})
    plain = load_settings({"MEMCHAT_HOME": str(tmp_path)}, user="alice")
    assert all(getattr(settings, name) == getattr(plain, name) for name in SETTING_NAMES)
