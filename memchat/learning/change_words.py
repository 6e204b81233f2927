"""The words by which rules see that something has changed or is over, and what a person has one of."""

import re

CHANGES = re.compile(
    r"\b(?:now|just|anymore|any more|no longer|moved|mov(?:ed|ing)|switch\w*|chang\w*|start\w*|stopp\w*|quit"
    r"|instead|again|sold"
    r"|arrived|came|delivered|fixed|solved|resolved|closed|cancell?ed|left|got|became|turned|actually"
    r"|meanwhile|finally|from now on|rewritten|replaced|swapped|gone|instead of|stable|fine again"
    r"|back to normal|only manage|not .* but|used to|jetzt|nun|inzwischen|umgezogen|gewechselt|nicht mehr"
    r"|statt\w*|angekommen|endlich|doch|ahora|ya no"
    r"|mud[eéo]\w*|cambi\w*|llegó|desormais|maintenant|déménagé|plus|changé|arrivé|adesso|ora|più|agora|mudei"
    r"|não mais)\b"
    r"|もう|今は|引っ越し|変わ|変え|やめ|届い|现在|搬|换|不再|到了",
    re.IGNORECASE,
)
SINGLE = tuple(
    re.compile(rf"\b(?:{forms})\b", re.IGNORECASE)
    for forms in (
        r"lives? (?:now )?(?:in|at|near|on)|living (?:in|at|near)|moved (?:to|into|in with)|mov(?:es|ing) to"
        r"|home is|wohn\w*|lebt|umgezogen|gezogen|zieht|vive|mudó|habite|déménagé|abita|mora"
        r"|rent(?:s|ing)? (?:an? |the )?(?:[\w-]+ ){0,2}?(?:[\w-]*bed(?:room)?|flat|apartment|house|room|studio)",
        r"works? (?:at|for)|employer|started at|job at|is an? \w+ at|arbeitet bei|trabaja (?:en|para)"
        r"|travaille (?:chez|pour)|lavora (?:per|da)|trabalha (?:na|no|para)",
        r"works? as|job is|profession",
        r"name is|named|is called|goes by|heißt|se llama|s['’]appelle|si chiama",
        r"budget",
        r"rent (?:is|went|of|now|for)|miete|alquiler|loyer|affitto|aluguel",
        r"favou?rite \w+",
    )
)
"""Things of which a person mostly has one: a new one replaces the old."""
OTHER_PERSON = re.compile(
    r"^(?:the )?(?:user['’]s |(?=(?:\w+ ){1,2}of the user))(?:\w+ )?"
    r"(?P<who>sister|brother|mother|father|mum|mom|dad|wife|husband|partner|girlfriend|boyfriend|son|daughter|child|children|kids?|cousin|aunt|uncle|niece|nephew"
    r"|grand\w+|friend|colleague|boss|manager|neighbou?r|flatmate|roommate|landlord|teacher|doctor)",
    re.IGNORECASE,
)
CASE_NUMBER = re.compile(
    r"(?:#|\b(?:order|ticket|case|invoice|claim|parcel|tracking|reference|bestellung|auftrag|pedido|commande|ordine)\W+"
    r"(?:\w+\W+){0,3}?)(?:[A-Z]{1,3}-?)?(?:\d{1,3}-)?(\d{3,})|\b[A-Z]{1,3}-(\d{3,})",
    re.IGNORECASE,
)
"""The number of an order or a ticket, which tells it from all others; an amount does not."""
