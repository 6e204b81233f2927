"""`memchat models`: the models within reach."""

import os

from memchat.cli.options import Json, User
from memchat.cli.output import Block, Line, Result, Table
from memchat.config import load_settings


def models(*, user: User = None, as_json: Json = False) -> Result:
    """List the models within reach, the one that would be used marked with *."""
    from memchat.llm.providers import OFFLINE, PROVIDERS, choose_model, ollama_address, ollama_models

    settings = load_settings(user=user)
    address = ollama_address(os.environ)
    local_ones = ollama_models(address)
    chosen = choose_model(os.environ, explicit=settings.model, ollama_probe=lambda _: local_ones)
    extraction = settings.extraction_model or chosen.extraction
    within: dict[str, str] = {p.chat: f"{p.key} is set" for p in PROVIDERS if p.has_key(os.environ)}
    within.update({f"ollama_chat/{name}": f"Ollama at {address}" for name in local_ones})
    within[OFFLINE] = "built in: no language model, answers from memory alone"
    within = {chosen.name: within.get(chosen.name, chosen.reason), **within}
    data = [
        {"name": name, "chosen": name == chosen.name, "why": chosen.reason if name == chosen.name else why}
        for name, why in within.items()
    ]
    rows = [("*" if entry["chosen"] else " ", str(entry["name"]), str(entry["why"])) for entry in data]
    shown: list[Block] = [Table((" ", "MODEL", "WHY"), rows), Line(f"Memories are extracted with {extraction}.", "dim")]
    others = [(p.chat, f"set {p.key}") for p in PROVIDERS if not p.has_key(os.environ)]
    if not local_ones:
        others.append(("ollama_chat/llama3.2", f"start Ollama ({address}), then: ollama pull llama3.2"))
    others.append(("openai/NAME", "another server: set OPENAI_API_BASE to its address, and OPENAI_API_KEY"))
    shown += [Line(""), Table(("ALSO POSSIBLE", "HOW"), others), Line("memchat setup does it step by step.", "dim")]
    return Result(data, shown, as_json=as_json)
