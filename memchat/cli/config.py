"""`memchat config`: show every setting and where it comes from."""

import os
from typing import Any

from memchat.cli.options import Json, User
from memchat.cli.output import Block, Line, Result, Table
from memchat.config import SECRET_SETTINGS, SETTING_NAMES, load_settings

MASKED = "(hidden)"


def config(*, user: User = None, as_json: Json = False) -> Result:
    """Show every setting, its value, and where it comes from. API keys are never shown."""
    settings = load_settings(user=user)
    origins = {"home": "MEMCHAT_HOME" if os.environ.get("MEMCHAT_HOME") else "default", **settings.origins}
    origins.setdefault("user", "login name")
    values: dict[str, Any] = {"home": str(settings.home)}
    values.update({name: getattr(settings, name) for name in SETTING_NAMES})
    values.update({name: MASKED for name in SECRET_SETTINGS if values[name] is not None})
    data: dict[str, Any] = {
        name: {"value": value, "from": origins.get(name, "default")} for name, value in values.items()
    }
    rows = [(name, entry["from"], _format_value(entry["value"])) for name, entry in data.items()]
    shown: list[Block] = [Table(("SETTING", "FROM", "VALUE"), rows)]
    data["agents"] = {"value": sorted(settings.agents), "from": settings.config_file.name}
    if settings.agents:
        shown.append(Line(f"Agents with a profile: {', '.join(sorted(settings.agents))}"))
    shown.append(Line(f"The settings file is {settings.config_file}", "dim"))
    return Result(data, shown, as_json=as_json)


def _format_value(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "" if value is None else str(value)
