"""Google Takeout of Gemini: MyActivity.json, with an entry for each prompt and its answer as HTML."""

import re
from collections.abc import Mapping
from datetime import timedelta
from html import unescape

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
    prompts: list[list[Said]] = []
    for place, value in source.objects(found):
        entry = value if isinstance(value, Mapping) else {}
        at, prompt = moment(entry.get("time")), _PROMPTED.sub("", words(entry.get("title")))
        if at is None or not prompt:
            found.skip(place, "is not a prompt")
            continue
        name = f"{at.isoformat()} {prompt[:80]}"
        prompts.append([Said(f"{name} ?", Role.USER, prompt, at)])
        given = entry.get("safeHtmlItem")
        items = given if isinstance(given, list) else []
        pages = [words(item.get("html")) for item in items if isinstance(item, Mapping)]
        if answer := "\n".join(unescape(_TAG.sub("", _BREAK.sub("\n", html))).strip() for html in pages).strip():
            prompts[-1].append(Said(f"{name} !", Role.ASSISTANT, answer, at))
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
