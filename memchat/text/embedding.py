"""Choose what is embedded of a memory: its text, its cues, both joined; of a verbatim turn, its window and sentences.

A cue closes the gap between "Can you suggest a restaurant near me?" and "User is vegetarian", which share no word and
little meaning. A window is the turn before in the same conversation and the turn itself: on LoCoMo a turn is found by
what it answers, and by its best sentence, better than by its whole text.
"""

import threading
from collections.abc import Sequence

from memchat.core.protocols import Embedded, Embedder, VectorKind
from memchat.core.types import Draft, Memory
from memchat.text.normalize import sentences, without_speaker

MAX_SENTENCES = 12

_importing = threading.Lock()


def load_numpy() -> None:
    """Import numpy completely. Threads that import it at the same moment can see half of it; here they queue up."""
    with _importing:
        import numpy  # noqa: F401


def fingerprint(model: str, dimension: int | None) -> str:
    """Return what comparable vectors share: `model:dimension`, or `model:?` until the first vectors have arrived."""
    return f"{model}:{'?' if dimension is None else dimension}"


def with_dimension(fingerprint: str, dimension: int) -> str:
    """Add the `dimension` of arrived vectors to `fingerprint`, if it was unknown."""
    return f"{fingerprint[:-1]}{dimension}" if fingerprint.endswith(":?") else fingerprint


def texts_to_embed(draft: Draft | Memory, previous: str | None = None) -> list[tuple[str, str]]:
    """Return the (kind, text) pairs to embed for `draft`; `previous` is the turn before a verbatim one."""
    if not draft.verbatim:
        joined = [(VectorKind.JOINED, "; ".join((draft.text, *draft.cues)))] if draft.cues else []
        return [(VectorKind.TEXT, draft.text), *joined, *((VectorKind.CUE, cue) for cue in draft.cues)]
    parts = [(VectorKind.TEXT, without_speaker(draft.text))]
    if previous:
        parts = [(VectorKind.WINDOW, f"{without_speaker(previous)}\n{parts[0][1]}")]
    several = sentences(without_speaker(draft.text))[:MAX_SENTENCES]
    if several != [parts[0][1]]:
        parts += [(VectorKind.SENTENCE, sentence) for sentence in several]
    return parts


def message_texts(text: str, previous: str | None, most: int) -> list[str]:
    """Return at most `most` texts to embed for a message: its window first, then its segments."""
    said = without_speaker(text)
    window = f"{without_speaker(previous)}\n{said}" if previous else said
    parts = segments(said, most - 1)
    return [window] if parts == [window] else [window, *parts]


def segments(text: str, most: int) -> list[str]:
    """Split `text` into sentences; more than `most` are joined with neighbours, in about equal sizes."""
    parts = sentences(text)
    if len(parts) <= most:
        return parts
    if most < 1:
        return []
    target, grouped, size = sum(map(len, parts)) / most, [[parts[0]]], len(parts[0])
    for part in parts[1:]:
        if size + len(part) / 2 > target * len(grouped) and len(grouped) < most:
            grouped.append([])
        grouped[-1].append(part)
        size += len(part)
    return [" ".join(group) for group in grouped]


def embed(
    embedder: Embedder, drafts: Sequence[Draft | Memory], previous: Sequence[str | None] | None = None
) -> list[Embedded]:
    """Embed all drafts in one call; `previous` goes with `drafts`, item by item. Without drafts the embedder is not
    called."""
    if not drafts:
        return []
    before = previous or [None] * len(drafts)
    plans = [texts_to_embed(draft, former) for draft, former in zip(drafts, before, strict=True)]
    rows = embedder.embed([text for plan in plans for _, text in plan])
    found, at = [], 0
    for plan in plans:
        found.append(Embedded(tuple(kind for kind, _ in plan), rows[at : at + len(plan)]))
        at += len(plan)
    return found
