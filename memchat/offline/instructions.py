"""Parse wishes about answers, and requests to forget."""

import re
from dataclasses import dataclass

from memchat.offline.grammar import expand_contractions
from memchat.offline.patterns import pattern, word_list


@dataclass(frozen=True, slots=True)
class Instruction:
    text: str
    category: str = "preference"
    standing: bool = True
    session: bool = False


def parse_instruction(words: str) -> Instruction | None:
    """Return the lasting wish in a clause; None unless it lasts by its nature or says so."""
    words = words.rstrip(" ?.!")
    if pattern("once").search(words):
        return None
    if called := pattern("call").match(words):
        return Instruction(f"User wants to be called {called['name']}.", "identity")
    if contact := pattern("contact").match(words):
        only = contact["only"] or contact["just"] or ""
        return Instruction(f"User wants to be contacted {only.lower()}{contact['how']}.", "support", standing=False)
    if taste := pattern("taste").match(words):
        return Instruction(f"User {taste['verb'].lower()}s {to_third(taste['what'])}.")
    if conditional := pattern("whenever").match(words):
        return _parse_command(conditional["rest"], f", {conditional['when']}")
    return _parse_command(words)


def _parse_command(words: str, condition: str = "") -> Instruction | None:
    command = pattern("command").match(words)
    lasting = word_list("lasting")
    if command is None or not (condition or pattern("lasts_by_itself").search(words) or lasting.search(words)):
        return None
    rest = pattern("as_said_by_you").sub("", lasting.sub("", command["rest"]).strip(" ,"))
    if re.search(r"\byou\b", rest):
        return None
    refused = "not " if command["no"] or re.search(r"(?i)\bnever\b", words) else ""
    text = (
        f"User wants the assistant {refused}to {command['do'].lower()} {to_third(' '.join(rest.split()) + condition)}."
    )
    return (
        Instruction(text, session=re.search(r"(?i)\bfor (?:this|the) (?:conv|sess|chat)", words) is not None)
        if rest
        else None
    )


def to_third(words: str) -> str:
    """Rewrite the speaker's words in the third person."""
    for first, third in (("me", "them"), ("my", "their"), ("your", "its"), ("I am", "they are"), ("I", "they")):
        words = re.sub(rf"\b{first}\b", third, words)
    return words


def to_forget(sentence: str) -> str | None:
    """Return what a sentence asks to forget, in its own words; None if it asks nothing or does not say what."""
    asked = pattern("forget").match(expand_contractions(sentence).strip().rstrip(".!?"))
    what = re.split(r",? (?:please|but|thanks)\b|, (?=I\b)", asked["what"])[0] if asked else ""
    return what if pattern("empty").sub("", what).strip(" ,'’m") else None


def forgettable(what: str) -> str:
    """Return the words of a request to forget that name the thing itself."""
    return " ".join(pattern("empty").sub(" ", what).split())
