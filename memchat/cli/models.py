"""`memchat models`: list the available models."""

import os

from memchat.cli.options import Json, User
from memchat.cli.output import Block, Line, Result, Table
from memchat.config import load_settings


def models(*, user: User = None, as_json: Json = False) -> Result:
    """List the available models; * marks the one in use."""
    from memchat.core.types import OFFLINE
    from memchat.llm.model_choice import PROVIDERS, choose_model, ollama_address, ollama_models

    settings = load_settings(user=user)
    address = ollama_address(os.environ)
    pulled = ollama_models(address)
    chosen = choose_model(os.environ, explicit=settings.model, ollama_probe=lambda _: pulled)
    extraction = settings.extraction_model or chosen.extraction
    available: dict[str, str] = {p.chat: f"{p.key} is set" for p in PROVIDERS if p.has_key(os.environ)}
    available.update({f"ollama_chat/{name}": f"Ollama at {address}" for name in pulled})
    available[OFFLINE] = "built in: no language model, answers from memory only"
    available = {chosen.name: available.get(chosen.name, chosen.reason), **available}
    data = [
        {"name": name, "chosen": name == chosen.name, "why": chosen.reason if name == chosen.name else why}
        for name, why in available.items()
    ]
    rows = [("*" if entry["chosen"] else " ", str(entry["name"]), str(entry["why"])) for entry in data]
    extracted = "the built-in offline rules" if extraction == OFFLINE else extraction
    shown: list[Block] = [Table((" ", "MODEL", "WHY"), rows), Line(f"Memories are extracted by {extracted}.", "dim")]
    others = [(p.chat, f"set {p.key}") for p in PROVIDERS if not p.has_key(os.environ)]
    if not pulled:
        others.append(("ollama_chat/llama3.2", f"start Ollama ({address}), then run: ollama pull llama3.2"))
    others.append(("openai/NAME", "another server: set OPENAI_API_BASE to its address, and OPENAI_API_KEY"))
    shown += [Line(""), Table(("ALSO POSSIBLE", "HOW"), others), Line("memchat setup sets one up step by step.", "dim")]
    return Result(data, shown, as_json=as_json)
