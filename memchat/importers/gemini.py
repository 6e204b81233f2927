"""Google Takeout of Gemini: MyActivity.json, with an entry for each prompt and its answer as HTML."""

import re
from collections.abc import Mapping
from datetime import timedelta
from html import unescape
from typing import Any

from memchat.core.types import Role
from memchat.importers.found import Dialogue, Found, Reading, Said, SourceText, moment, words

NAME = "Gemini Takeout"
GAP = timedelta(hours=1)
"""Pause after which a prompt starts a new conversation, because Takeout does not say which belong together."""

_PROMPTED = re.compile(r"^(?:Prompted|Asked|Said)\s+", re.IGNORECASE)
_BREAK = re.compile(r"(?i)<br\s*/?>|</(?:p|li|h\d|div|tr)>")
_TAG = re.compile(r"<[^>]*>")


def recognises(source: SourceText) -> bool:
    first = source.first
    products = first.get("products")
    named = [first.get("header"), *(products if isinstance(products, list) else ())]
    return "time" in first and "title" in first and any("gemini" in words(name).lower() for name in named)


def read(source: SourceText, reading: Reading) -> Found:
    found = Found(formats=[NAME])
    prompts: list[tuple[Said, ...]] = []
    for place, entry in source.objects(found):
        if (exchange := _exchange(entry)) is None:
            found.skip(place, "is not a prompt")
        else:
            prompts.append(exchange)
    prompts.sort(key=lambda exchange: exchange[0].at)
    group: list[Said] = []
    for exchange in prompts:
        if group and exchange[0].at - group[-1].at > GAP:
            found.dialogues.append(_dialogue(group))
            group = []
        group += exchange
    if group:
        found.dialogues.append(_dialogue(group))
    return found


def _dialogue(messages: list[Said]) -> Dialogue:
    return Dialogue(messages[0].id, "", tuple(messages))


def _exchange(entry: Any) -> tuple[Said, ...] | None:
    if not isinstance(entry, Mapping):
        return None
    at, prompt = moment(entry.get("time")), _PROMPTED.sub("", words(entry.get("title")))
    if at is None or not prompt:
        return None
    name = f"{at.isoformat()} {prompt[:80]}"
    items = entry.get("safeHtmlItem")
    pages = [words(item.get("html")) for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
    answer = "\n".join(unescape(_TAG.sub("", _BREAK.sub("\n", html))).strip() for html in pages).strip()
    said = Said(f"{name} ?", Role.USER, prompt, at)
    return (said, Said(f"{name} !", Role.ASSISTANT, answer, at)) if answer else (said,)
