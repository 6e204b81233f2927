"""Words of some languages by what they do in a sentence: they only form it, deny it, or tell of an end."""

import re

FORM_WORDS = frozenset(
    """
    user users person about also another any currently just not no now that there these those too very really
    wants want wanted wishes wish would born age aged old likes like prefers prefer asks ask asked called named
    name lives live living works work working uses use using has have having owns own got goes says said plans
    plan speaks calls being been are were was their theirs them they its his her into from with than then who
    which new still monday tuesday wednesday thursday friday saturday sunday january february march april may
    june july august september october november december week month year day today yesterday tomorrow der die
    das den dem des ein eine einen einem einer und oder ist sind war hat haben heißt heisst möchte will soll
    nicht kein keine seit mit von vom für auf aus bei zum zur als auch jetzt wohnt lebt arbeitet mag nutzt
    nutzer montag dienstag mittwoch donnerstag freitag samstag sonntag januar februar märz mai juni juli oktober
    dezember woche el la los las un una unos unas y o es son está están tiene que con por para del al se su sus
    ya como usuario usuaria quiere prefiere vive trabaja llama gusta le lunes martes miércoles jueves viernes
    sábado domingo enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre les
    une et ou est sont qui avec pour dans sur sa ses pas veut préfère habite vit travaille aime utilisateur
    utilisatrice janvier février mars avril juin juillet août septembre octobre novembre décembre il lo gli uno
    e ha di da per suo sua non utente vuole preferisce lavora os as um uma tem com do em seu não usuário usuária
    quer prefere mora trabalha gosta don doesn didn isn aren wasn weren hasn haven hadn won wouldn couldn shouldn can
    cannot could would should must may might due because
    """.split()
)
"""Words that turn a statement into a sentence about its speaker; they prove nothing."""

DENIAL = re.compile(
    r"n['’]t\b|\b(?:no|not|never|none|without|nicht|kein\w*|nie|ohne|nunca|sin|pas|jamais|sans|non|mai|não|sem)\b"
    r"|\b(?:нет|не)\b|ない|ません|不|没",
    re.IGNORECASE,
)


def denies(text: str) -> bool:
    """Return whether `text` says that something is not so."""
    return DENIAL.search(text) is not None


ENDS = re.compile(
    r"\b(?:no longer|not .{1,40}any ?more|(?:broke|broken|split|breaking|splitting) up|separated|divorced|gave up"
    r"|given up|quit|stopped|sold|cancell?ed|died|passed away|folded|closed down|is over|got rid of"
    r"|g[ai]ve[ns]? .{0,30}?away|ran out|handed in (?:my|his|her|their|the) notice|resigned|no more"
    r"|is dead|nicht mehr|getrennt|verkauft|abgegeben|gestorben|aufgegeben|aufgehört|gekündigt|ya no|dejé|dejamos"
    r"|vendí|vendimos|murió|terminamos|rompimos|separamos|ne \w+ plus|arrêté|vendu|quitté|séparés|non \w+ più|smesso"
    r"|venduto|lasciato"
    r"|não \w+ mais|parei|vendi|terminei)\b|やめ|別れ|辞め|亡くな|不再|分手|卖了|戒了",
    re.IGNORECASE,
)
"""Words for the end of something the user had or did."""
