"""Wishes about how to be answered, and requests to forget, as people word them."""

import re
from dataclasses import dataclass

from memchat.offline.grammar import spelled_out
from memchat.offline.patterns import mark, one_of


@dataclass(frozen=True, slots=True)
class Wish:
    text: str
    category: str = "preference"
    standing: bool = True
    session: bool = False


def wish(words: str) -> Wish | None:
    """The lasting wish in a clause, spelled out: only what lasts by its nature or is said to."""
    words = words.rstrip(" ?.!")
    if mark("once").search(words):
        return None
    if called := mark("call").match(words):
        return Wish(f"User wants to be called {called['name']}.", "identity")
    if contact := mark("contact").match(words):
        only = contact["only"] or contact["just"] or ""
        return Wish(f"User wants to be contacted {only.lower()}{contact['how']}.", "support", standing=False)
    if taste := mark("taste").match(words):
        return Wish(f"User {taste['verb'].lower()}s {to_third(taste['what'])}.")
    if none := mark("none_of").match(words):
        return Wish(f"User wants no {none['what'].lower()} in answers.")
    if conditional := mark("whenever").match(words):
        return _commanded(conditional["rest"], f", {conditional['when']}")
    return _commanded(words)


def _commanded(words: str, condition: str = "") -> Wish | None:
    command = mark("command").match(words)
    lasting = one_of("lasting")
    if command is None or not (condition or mark("lasts_by_itself").search(words) or lasting.search(words)):
        return None
    rest = mark("as_said_by_you").sub("", lasting.sub("", command["rest"]).strip(" ,"))
    if re.search(r"\byou\b", rest):
        return None
    refused = "not " if command["no"] or re.search(r"(?i)\bnever\b", words) else ""
    text = (
        f"User wants the assistant {refused}to {command['do'].lower()} {to_third(' '.join(rest.split()) + condition)}."
    )
    return (
        Wish(text, session=re.search(r"(?i)\bfor (?:this|the) (?:conv|sess|chat)", words) is not None) if rest else None
    )


def to_third(words: str) -> str:
    """Words of the speaker's as said about them."""
    for first, third in (("me", "them"), ("my", "their"), ("your", "its"), ("I am", "they are"), ("I", "they")):
        words = re.sub(rf"\b{first}\b", third, words)
    return words


def to_forget(sentence: str) -> str | None:
    """What a sentence asks to forget, in its own words; None when it asks no such thing or does not say what."""
    asked = mark("forget").match(spelled_out(sentence).strip().rstrip(".!?"))
    what = re.split(r",? (?:please|but|thanks)\b|, (?=I\b)", asked["what"])[0] if asked else ""
    return what if mark("empty").sub("", what).strip(" ,'’m") else None


def forgettable(what: str) -> str:
    """The words of a request to forget that name the thing itself."""
    return " ".join(mark("empty").sub(" ", what).split())
