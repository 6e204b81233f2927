"""A small file of each format, as its program writes it."""

import io
import json
import zipfile
from typing import Any


def as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def as_lines(*values: Any) -> bytes:
    return b"\n".join(map(as_json, values))


def zipped(**files: bytes) -> bytes:
    """An archive; two underscores in a name stand for a dot."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "."), data)
    return target.getvalue()


def chatgpt(number: int = 1, began: float = 1_700_000_000.0) -> dict[str, Any]:
    """A conversation with a hidden system message, a replaced branch and a tool's answer."""

    def node(name: str, parent: str | None, role: str, text: str, **more: Any) -> dict[str, Any]:
        message = {
            "id": name,
            "author": {"role": role},
            "create_time": began + int(name[1:]),
            "content": {"content_type": "text", "parts": [text]},
            "metadata": {},
            **more,
        }
        return {"id": name, "message": message, "parent": parent, "children": []}

    nodes = [
        {"id": "n0", "message": None, "parent": None, "children": ["n1"]},
        node("n1", "n0", "system", "", metadata={"is_visually_hidden_from_conversation": True}),
        node("n2", "n1", "user", "I live in Rome."),
        node("n3", "n1", "user", "I live in Berlin."),
        node("n4", "n3", "tool", "{}", content={"content_type": "code", "text": "x"}),
        node("n5", "n4", "assistant", "Noted."),
    ]
    return {
        "id": f"c{number}",
        "title": f"Homes {number}",
        "create_time": began,
        "mapping": {one["id"]: one for one in nodes},
        "current_node": "n5",
    }


CLAUDE = {
    "uuid": "k1",
    "name": "Homes",
    "created_at": "2024-05-01T10:00:00.000000Z",
    "updated_at": "2024-05-01T10:01:00.000000Z",
    "account": {"uuid": "a"},
    "chat_messages": [
        {
            "uuid": "m1",
            "text": "I live in Berlin.",
            "content": [{"type": "text", "text": "I live in Berlin."}],
            "sender": "human",
            "created_at": "2024-05-01T10:00:00.000000Z",
        },
        {
            "uuid": "m2",
            "text": "",
            "content": [{"type": "tool_use"}, {"type": "text", "text": "Noted."}],
            "sender": "assistant",
            "created_at": "2024-05-01T10:01:00.000000Z",
        },
    ],
}
GEMINI = [
    {
        "header": "Gemini Apps",
        "title": "Prompted I live in Berlin.",
        "time": "2024-05-01T10:00:00.000Z",
        "products": ["Gemini Apps"],
        "safeHtmlItem": [{"html": "<p>Noted &amp; kept.</p>"}],
    },
    {"header": "Gemini Apps", "title": "Used an extension", "products": ["Gemini Apps"]},
]
OPEN_WEBUI = [
    {
        "id": "w1",
        "user_id": "u",
        "title": "Homes",
        "created_at": 1_714_557_600,
        "chat": {
            "title": "Homes",
            "history": {
                "currentId": "b",
                "messages": {
                    "a": {
                        "id": "a",
                        "parentId": None,
                        "role": "user",
                        "content": "I live in Berlin.",
                        "timestamp": 1_714_557_600,
                    },
                    "b": {
                        "id": "b",
                        "parentId": "a",
                        "role": "assistant",
                        "content": "Noted.",
                        "timestamp": 1_714_557_610,
                    },
                    "x": {
                        "id": "x",
                        "parentId": "a",
                        "role": "assistant",
                        "content": "Replaced.",
                        "timestamp": 1_714_557_605,
                    },
                },
            },
        },
    }
]
DIALOGUES: dict[str, bytes] = {
    "ChatGPT": as_json([chatgpt()]),
    "Claude": as_json([CLAUDE]),
    "Gemini Takeout": as_json(GEMINI[:1]),
    "Open WebUI": as_json(OPEN_WEBUI),
    "chat messages": as_lines(
        {"messages": [{"role": "user", "content": "I live in Berlin."}, {"role": "assistant", "content": "Noted."}]}
    ),
    "CSV": b"role,content,time\nuser,I live in Berlin.,2024-05-01T10:00:00Z\nassistant,Noted.,2024-05-01T10:00:09Z\n",
    "memchat sessions": as_lines(
        {
            "id": "s1",
            "user": "a",
            "agent": None,
            "title": "Homes",
            "started_at": "2024-05-01T10:00:00Z",
            "messages": [
                {"id": "1", "role": "user", "text": "I live in Berlin.", "created_at": "2024-05-01T10:00:00Z"},
                {"id": "2", "role": "assistant", "text": "Noted.", "created_at": "2024-05-01T10:00:05Z"},
            ],
        }
    ),
}
"""Each says the same."""

FACTS: dict[str, tuple[bytes, list[str]]] = {
    "mem0 get_all": (as_json({"results": [{"id": "1", "memory": "Likes tea", "user_id": "a"}]}), ["Likes tea"]),
    "OpenMemory": (
        as_json(
            {
                "user": {"id": "a"},
                "memories": [{"content": "Likes tea", "state": "active"}, {"content": "Old", "state": "deleted"}],
            }
        ),
        ["Likes tea"],
    ),
    "MCP memory server": (
        as_lines(
            {"type": "entity", "name": "Ana", "entityType": "person", "observations": ["Likes tea", "Ana is a pilot"]},
            {"type": "relation", "from": "Ana", "to": "Bo", "relationType": "is_married_to"},
        ),
        ["Ana: Likes tea", "Ana is a pilot", "Ana is married to Bo"],
    ),
    "Claude's memories": (
        as_json([{"conversations_memory": "**Work**\n\nAna is a pilot.\n- Likes tea", "account_uuid": "a"}]),
        ["Ana is a pilot.", "Likes tea"],
    ),
    "CSV": (b'text,category\nLikes tea,preference\n"Likes jam, too",\n', ["Likes tea", "Likes jam, too"]),
    "Markdown": (
        b"---\ntitle: x\n---\n# About\n\n- Likes tea\n* [x] Likes jam\n> quoted words\n"
        b"---\n| a | b |\n```\ncode\n```\nPlain.\n",
        ["Likes tea", "Likes jam", "quoted words", "Plain."],
    ),
    "UTF-16": ("Mag Käse\n".encode("utf-16"), ["Mag Käse"]),
    "an archive": (
        zipped(memories__json=as_json(["Likes tea"]), user__html=b"<p>", notes__md=b"# T\n- Likes jam\n"),
        ["Likes tea", "Likes jam"],
    ),
}
