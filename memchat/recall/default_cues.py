"""The situations in which a memory should come to mind, where no model wrote them: by category and key words."""

import re

from memchat.core.types import MAX_CUES

_BY_CATEGORY = {
    "identity": ("filling in a form", "writing a short bio", "addressing me by name"),
    "preference": ("suggesting something I would like", "choosing a gift for me", "ideas for the weekend"),
    "work": ("writing my CV", "questions about my job", "planning my working day"),
    "project": ("help with my project", "choosing tools and libraries", "deciding what to do next"),
    "relationship": ("choosing a present for family", "planning a family visit", "inviting people"),
    "health": ("planning meals or exercise", "medicines and side effects", "booking a doctor's appointment"),
    "place": ("places near me", "local recommendations", "weather and travel from home"),
    "event": ("what happened lately", "looking back on the year", "dates to remember"),
    "plan": ("planning my calendar", "what is coming up", "packing and preparing"),
    "support": ("any update on my case", "problem with something I bought", "contacting customer support"),
}

_REFINEMENTS = (
    (
        r"vegan|vegetarian|pescatarian|meat|fish|halal|kosher|diet|gluten|lactose|dairy|allerg\w*|intoleran\w*|coeliac|celiac",
        ("choosing a restaurant", "recipes and groceries", "planning a dinner"),
    ),
    (
        r"order|parcel|package|deliver\w*|shipment|refund|return",
        ("delivery and order questions", "any update on my order"),
    ),
    ("ticket|support", ("any update on my ticket", "contacting customer support")),
    ("lives?|live in|moved|home|flat|house|apartment", ("places near me", "local recommendations", "weather at home")),
    (r"commut\w*|train|bus|bike|drives?|car", ("getting to work", "planning a route", "how to travel there")),
    ("son|daughter|child|children|kids?|baby", ("activities with children", "birthday presents", "family plans")),
    ("wife|husband|partner|girlfriend|boyfriend|married", ("anniversary and date ideas", "a present for my partner")),
    ("dogs?|cats?|rabbits?|pets?|puppy|kitten", ("going away with pets", "buying pet food", "choosing a vet")),
    ("birthday|born|years old", ("planning a birthday party", "age on a form")),
    ("speaks?|languages?|learning", ("translating a text", "travelling abroad", "language courses")),
    ("code|coding|python|rust|java|typescript|framework|editor|laravel|database|linux", ("writing code for me",)),
    (
        r"runs?|swims?|cycl\w*|gym|yoga|tennis|football|climb\w*|hik\w*|sport",
        ("training and exercise plans", "weekend activities"),
    ),
    ("coffee|tea|wine|beer|drinks?", ("ordering a drink", "what to serve guests")),
    ("books?|reads?|novels?", ("choosing a book", "what to read next")),
    ("films?|movies?|series|music|plays? the|guitar|piano|concert", ("what to watch or listen to", "an evening out")),
    ("rent|salary|budget|mortgage|euros?|dollars?|pounds|quid", ("planning a budget", "can I afford this")),
    ("appointment|dentist|interview|exam|meeting|wedding|flight|trip|holiday", ("what is in my calendar",)),
)
"""Words that a memory may hold, and the cues that go before those of its category."""


def default_cues(category: str, text: str) -> tuple[str, ...]:
    """Return up to `MAX_CUES` situations for a memory of `category` with this `text`; empty if none is known."""
    refined = (
        cue
        for words, cues in _REFINEMENTS
        if re.search(rf"\b(?:{words})(?:e?s)?\b", text, re.IGNORECASE)
        for cue in cues
    )
    return tuple(dict.fromkeys((*refined, *_BY_CATEGORY.get(category, ()))))[:MAX_CUES]
