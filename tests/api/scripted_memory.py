"""Models for the library's tests: one extracts by a table of phrases and answers with what its prompt remembers."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

from tests.scripted_server import Reply

Payload = dict[str, Any]

EXTRACTION = "You keep the long-term memory"


def is_extraction(payload: Mapping[str, Any]) -> bool:
    return str(payload["messages"][0]["content"]).startswith(EXTRACTION)


def inputs(payload: Mapping[str, Any]) -> dict[str, Any]:
    """What an extraction call was given, as the object in its user message."""
    found: dict[str, Any] = json.loads(payload["messages"][1]["content"])
    return found


class Script:
    """What phrases that may be said come to.

    `facts` maps a phrase to the memory it makes, `replacing` to words of the memory it replaces, `cues` to its cues.
    """

    def __init__(
        self,
        facts: Mapping[str, str],
        replacing: Mapping[str, str] | None = None,
        cues: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.facts = facts
        self.replacing = replacing or {}
        self.cues = cues or {}

    def __call__(self, payload: Payload) -> Reply:
        return Reply(self.extracted(inputs(payload)) if is_extraction(payload) else self.answered(payload))

    def extracted(self, given: Mapping[str, Any]) -> str:
        facts = [
            {
                "text": text,
                "quote": phrase,
                "category": "other",
                "scope": "user",
                "cues": list(self.cues.get(phrase, ())),
                "replaces": [
                    known["n"]
                    for known in given["known"]
                    if phrase in self.replacing and self.replacing[phrase] in known["text"]
                ],
            }
            for phrase, text in self.facts.items()
            if phrase in given["user"]
        ]
        return json.dumps({"facts": facts, "confirmed": [], "ended": [], "outdated": [], "forget": []})

    def answered(self, payload: Payload) -> str:
        """Everything the system prompt lists, so that a test can see what the model was told."""
        system = payload["messages"][0]["content"] if payload["messages"][0]["role"] == "system" else ""
        return "You told me: " + "; ".join(re.findall(r"^- (.*)$", system, re.MULTILINE))


def word_vectors(texts: Sequence[str]) -> list[list[float]]:
    """An embedding model that knows words only: texts are as near as the words they share."""
    vectors = []
    for text in texts:
        row = [0.01] * 64
        for word in re.findall(r"\w{4,}", text.lower()):
            row[crc32(word.encode()) % 64] += 1.0
        vectors.append(row)
    return vectors


def extractions(requests: list[dict[str, Any]]) -> list[Payload]:
    """The extraction calls among the requests a server saw, oldest first."""
    chats = [request["json"] for request in requests if request["path"].endswith("/chat/completions")]
    return [payload for payload in chats if is_extraction(payload)]
