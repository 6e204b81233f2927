"""Find the clauses of a message that may state something lasting: no questions, tasks or passing circumstances.

Small models need this; large ones are told to leave such clauses out, and do.
"""

import re
from collections.abc import Iterator, Sequence

from memchat.learning.support import units
from memchat.text.normalize import STOP_WORDS, sentences, words
from memchat.text.punctuation import ends_with_question_mark

_CLAUSE = re.compile(r"[,;:—–()]\s+|\s+-\s+|[、，；：]|\s+(?:but|also|aber|und|pero|y|mais|et|e)\s+")
_AUXILIARY = r"(?:is|are|was|were|do|does|did|can|could|should|would|will|has|have|am)"
_ASKS = re.compile(
    r"^\W*(?:(?:ok(?:ay)?|so|hey|hi|and|but|btw|wait|quick question|just curious|also|then|now)\W+)*(?:"
    r"(?:what|how|which|who|where|why|whose)(?:['’]?s\b|['’]re\b"
    rf"|\s+(?!(?:i|we|my|our)\b)(?:[\w'’-]+\s+){{0,3}}?{_AUXILIARY}\b"
    r"|\s+(?:about|to|many|much|long|far|old|come)\b)"
    rf"|when\s+{_AUXILIARY}\b"
    r"|(?:is|are|do|does|did|can|could|should|would|will|am|was|were)\s+"
    r"(?:i|you|u|we|it|there|they|he|she|this|that|these|those|the|my|your|any\w*|some\w*|people)\b"
    r"|(?:have|has) (?:you|it|he|she|they|any\w*)\b|any (?:idea|tip|advice|suggestion|recommendation|thought)s?\b"
    r"|(?:wie|was|wer|wo|wann|warum|welche[rsn]?|wieso)\s+(?!ich\b|wir\b|mein)\w+"
    r"|(?:kann|kannst|könntest|soll|sollte|ist|gibt|hast|weißt) (?:ich|du|man|es|das|der|die)\b"
    r"|¿|(?:qué|cómo|cuándo|dónde|cuál(?:es)?|quién|cuánt[oa]s?|por qué)\b"
    r"|(?:comment|pourquoi|combien|est-ce|c['’]est (?:quoi|qui|où|quand)"
    r"|qu['’]est-ce|quel(?:le)?s?)\b|(?:come|perché|quanto|quale)\s+(?!io\b)\w+"
    r"|(?:como|por que|quanto|qual)\s+(?!eu\b)\w+)",
    re.IGNORECASE,
)
"""A question without its mark, as people type them."""
_ENDS_AS_QUESTION = re.compile(r"(?:です|ます|ません|でしょう)か。?$|かな。?$|[吗呢]。?$|까\.?$")
_SUPPOSED = re.compile(
    r"\b(?:what if|if (?:i|we|you)\b(?! (?:don|do not|am|have|remember))|suppose|imagine|hypothetically"
    r"|let['’]?s say|pretend|(?:^|[,;.?!]\s*)(?:so |and )?say (?:i|we|you|some(?:one|body)|an?|they)\b"
    r"|for example i\b"
    r"|just kidding|kidding(?! aside)|joking(?! aside)|jk|would i|should i"
    r"|(?:^|[.!?]\s*)(?:(?:so|and|then|well|ok(?:ay)?),? )?i['’]d (?:be|buy|call|choose|do|eat|get|give|go|live|marry"
    r"|move|pick|quit|say|sell|take|try|want)\b"
    r"|i (?:might|may|could|would)\b(?! (?:like|love|rather|prefer))|maybe|perhaps|can(?:['’]?t|not) decide"
    r"|torn between|undecided|not sure (?:if|whether|what|which)"
    r"|i wonder|wondering|thinking (?:of|about)|wenn ich|angenommen|vielleicht|würde ich|si (?:yo|me|tuviera"
    r"|fuera)|quizás|tal vez"
    r"|si j['’]|peut-être|forse|se io|talvez)\b|もし|かもしれ|如果|也许|만약",
    re.IGNORECASE,
)
_PASSING = re.compile(
    r"\b(?:right now|just (?:checking|wondering|asking|saying)|while (?:i|we)\b|brb|on (?:the"
    r"|my) (?:bus|train|phone"
    r"|way)|(?:i['’]?m|i am|feeling|feel) (?:so |really |very |just |a bit |bit |super |kinda "
    r"|pretty )*(?:tired|bored|hungry|sleepy"
    r"|exhausted|happy|sad|angry|annoyed|excited|confused|curious|sorry|glad|done|back|here|busy|knackered"
    r"|off|thinking|trying"
    r"|looking|wondering)|müde|kaputt|schöne[sn]? (?:abend|tag|wochenende|feierabend)|gute nacht"
    r"|guten (?:morgen|tag|abend)"
    r"|bis (?:morgen|bald|dann|später)|buen(?:as|os) (?:noches|días|tardes)|hasta (?:luego|mañana|pronto)"
    r"|bonne (?:nuit|soirée)|estoy (?:cansad|aburrid)\w+|fatigué\w*|thanks|thank you|danke"
    r"|gracias|merci|haha|lol|off to|good ?(?:morning|night)|(?<!\w )morning|bye|user (?:is|feels|was) (?:so |very "
    r"|really )*(?:tired|bored|hungry|sleepy|exhausted|happy|sad|angry|annoyed|excited|confused|curious|sorry"
    r"|glad|done|back|busy|grateful|morning|the best|trying)|trying (?:that|it|this))\b",
    re.IGNORECASE,
)
_MOMENTARY = re.compile(
    r"\b(?:"
    r"(?:got ?ta|got to|ha(?:ve|s) to|needs? to|better|about to|going to|gonna) "
    r"(?:run|go|leave|dash|hurry|sleep|eat|shower|head (?:out|off))(?= now\b| to bed\b|\W*$|[,;.!])"
    r"|heading (?:out|off|home|to bed)|off now"
    r"|hungover|starving|freezing|thirsty|wide awake|in a (?:bad|good|great|foul) mood|can['’]?t sleep|half asleep"
    r"|speechless|heartbroken"
    r"|(?:am|i['’]?m|is|are|feels?|was) (?:so |very |really |a bit |pretty |just )?"
    r"(?:nervous|stressed|anxious|thrilled|relieved|proud|worried|overwhelmed|amazed|shocked|delighted"
    r"|frustrated|furious|lonely|grumpy|cranky)"
    r"|user (?:says?|said) (?:hi|hello|hey|thanks|goodbye|yes|no)"
    r"|(?:had|ate|eaten|drank|finished|cooked|made|grabbed|watched)(?: an?| some| my| the| their)? "
    r"(?:soup|lunch|dinner|breakfast|supper|brunch|snack|coffee|tea|beer|wine|pizza|sandwich|meal|shower|nap|film)"
    r"|just (?:ate|woke|finished (?:the|my) |watched|saw|sat)|just got (?:up|home|back)(?! into)"
    r"|(?:am|i['’]?m|is|are|we['’]?re|was) (?:\w+ly )?(?:sitting|waiting"
    r"(?! for (?:my |an? |the )?(?:order|parcel|refund|result|visa|reply))|standing|lying|eating"
    r"|drinking|queue?ing|driving home|walking home|cooking|baking|staring"
    r"|watching|stuck)"
    r"|(?:un)?plugged (?:it|the|in)|restarted|rebooted|refreshed|clicked|uploaded|pasted|pressed|blink(?:ing|s)"
    r")\b"
    r"|(?:寒い|暑い|眠い|疲れた|だるい)(?:です)?(?:ね|な)?[〜~ー。!！]*$"
    r"|(?:am|i['’]?m|is|are) (?:still |now )?(?:at|on|in|by) (?:the|an?|my|his|her|their) (?:kitchen|table|sofa|couch"
    r"|bed|desk|bath|garden|car|train|bus|tram|plane|pub|bar|library|airport|station|queue|waiting room|bus stop)\b"
    r"|\bis (?:now )?(?:at|on|in)(?: about)? (?:page|chapter|step|level|line|minute)\b"
    r"|(?:am|i['’]?m|is) (?:basically |literally |practically )?\d{1,3} ?% (?!of\b)\w+"
    r"|^(?:ok\W+)?(?:sitting|waiting|standing|lying|eating|drinking|watching|queueing|unplugged)\b"
    r"|\b(?:phone|battery|laptop|tablet)\b.{0,12} (?:at|on|is) \d{1,2} ?(?:%|percent|per cent)"
    r"|\b(?:hates?|loves?|likes?|enjoys?|(?:sick|tired) of) (?:this|these|that|those|it)(?: \w+)?\W*$"
    r"|(?:\bam|['’]m|\bim|\bis|\bfeels?|\bwas) (?!.*\b(?:as of|since|from)\b)[^.\d]*\btoday\b",
    re.IGNORECASE,
)
"""Momentary circumstances: meals, errands, a battery, a step tried, "I hate this weather"."""
_ROLE_PLAY = re.compile(
    r"\b(?:role-?play\w*|let['’]?s (?:play|pretend|act|imagine)|stay in character|act as|dungeon master"
    r"|you (?:are|play|be) (?:my|the|a) [\w ]{2,30}(?:and|,) i(?:['’]m| am| play)|i(?:['’]ll| will) (?:be|play) the)\b"
    r"|\barr+[,!]"
    r"|^\W*(?:(?:ok(?:ay)?|now|please|so)\W+)*be (?:a|an|my|the) (?!bit|little|dear|darling|love|star|legend)"
    r"[\w -]{3,40}[,.;:!]"
    r"|^\W*(?:sei|spiele?|sé|haz de|sois|joue|seja|faz de conta|finge) (?:mal )?"
    r"(?:ein\w*|der|den|die|una?|el|la|le|um|uma) (?!poco|bisschen|peu|pouco)[\w -]{3,40}[,.;:!]",
    re.IGNORECASE,
)
"""A role play, which is also in the first person and goes on in later messages."""
_KNOWS = (
    r"doctor|dr|gp|dentist|nurse|physio\w*|vet|midwife|surgeon|optician|therapist|specialist|consultant|hospital|clinic"
    r"|lawyer|accountant|ärzt\w*|arzt|zahnarzt|médic[oa]|m[ée]decin|dentista?"
)
_OPINION = re.compile(
    r"\b(?:he|she|they|everyone|everybody|people|someone|somebody"
    rf"|my (?!(?:\w+ )?(?:{_KNOWS})\b)(?:\w+ ){{1,2}}?)\W*(?:always |just |still )?"
    r"(?:says?|thinks?|reckons?|claims?|keeps? saying) (?:that )?(?:i\b|i['’]\w+|you\b|you['’]\w+)"
    r"|\b(?:(?:thinks|reckons|reckoned)(?: that)?|(?:claims|claimed|thought|believes|believed) that) "
    r"(?!(?:i|we|he|she|they|it|you|my|our|his|her|their|about|of|in)\b)\w+"
    r"|\b(?:meint|meinte|findet|fand|glaubt|denkt), (?:dass )?(?!(?:ich|wir|er|sie|es|du|mein\w*|sein\w*|ihr\w*)\b)\w+"
    rf"|\b(?:mein\w*) (?!(?:{_KNOWS})\b)\w+ (?:meint|sagt|findet|glaubt|behauptet),? (?:dass )?ich\b"
    rf"|\bmi (?!(?:{_KNOWS})\b)\w+ (?:dice|cree|piensa) que (?:yo |soy|estoy|debo|debería|tengo que)"
    rf"|\b(?:mon|ma) (?!(?:{_KNOWS})\b)\w+ (?:dit|pense|trouve) que j"
    rf"|\b(?:o meu|a minha|meu|minha) (?!(?:{_KNOWS})\b)\w+ (?:diz|acha|pensa) que (?:eu|sou|estou|devo)\b",
    re.IGNORECASE,
)
"""What others think of the person, for a doctor knows, and of the world."""
_DREAM = re.compile(
    r"\b(?:dreamt|dreamed|(?:had|have) (?:a|an|such a|the) (?:[\w-]+ ){0,2}(?:dream|nightmare)|in (?:my|the) dream)\b",
    re.IGNORECASE,
)
_REAL_AGAIN = re.compile(
    r"\b(?:in real life|in reality|seriously|serious now|ok stop|enough of|back to|out of character|by the way|btw"
    r"|(?:kidding|joking|jokes?) aside"
    r"|actually)\b",
    re.IGNORECASE,
)
_WISH_BY_ITSELF = re.compile(
    r"\b(?:call me|address me|duz\w+ mich|siez\w+ mich|nenn\w* mich|tut[eé]ame|ll[aá]mame|tutoie"
    r"|appelle[- ]moi|chiamami)\b"
    r"|タメ口|敬語|と呼んで|叫我"
    r"|\b(?:don['’]?t|do not|never|stop|avoid|quit|without|no need to) (?:[\w'’]+ ){0,4}?(?:your |the )?"
    r"(?:answers?|replies|responses)\b"
    r"|\b(?:stop|quit|don['’]?t|do not|avoid|no more) (?:(?:us|writ|giv|mak)(?:e|ing) )?(?:me )?"
    r"(?:numbering|emojis?|bullet(?: ?point)?s?|bulleted|markdown|tables|headings|jargon|small talk|lists)\b"
    r"|^\W*(?:and |but )?(?:please )?no (?:emojis?|bullet points?|markdown|tables|headings|jargon|lists)\b"
    r"|\bi(?:['’]d)? (?:rather |really |much |always )?(?:prefer|like|want|love|hate|need|can['’]?t stand) "
    r"(?!if |no |the |some |any )(?:[\w'’-]+ ){1,4}?(?:answers|replies|responses|explanations)\b"
    r"|\b(?:keep|make) (?:all |the )?(?:your )?(?:answers|replies|responses|explanations)\b"
    r"|\bmy pronouns are\b|\brefer to me\b",
    re.IGNORECASE,
)
_ASKED_POLITELY = re.compile(
    r"^\W*(?:(?:hey|hi|ok(?:ay)?|and|also|please|btw|so)\W+)*"
    r"(?:(?:can|could|would|will) you|(?:kannst|könntest|würdest) du|könnten sie|puedes|podrías"
    r"|(?:tu )?(?:peux|pourrais)(?:[- ]tu)?|(?:vous )?(?:pouvez|pourriez)(?:[- ]vous)?"
    r"|(?:você )?(?:pode|poderia)|podes|puoi|potresti)\b",
    re.IGNORECASE,
)
"""The beginning of a wish that is worded as a question."""
_THIS_ONCE = re.compile(
    r"\b(?:this (?:one|once|time|answer|message|question|chat)|just (?:now|once|here)|for (?:now|this)|here)\b"
    r"|\bdiesmal\b|\besta vez\b|\bcette fois\b",
    re.IGNORECASE,
)
_FOR_GOOD = re.compile(
    r"\b(?:always|never(?! mind)|from (?:now|here) on|every \w+ you (?:make|give|write)"
    r"|going forward|whenever|in (?:the )?future|every time|don['’]?t ever"
    r"|no more|stop|immer|nie"
    r"|niemals|ab jetzt|ab sofort|künftig|siempre|nunca|a partir de ahora|toujours|jamais|désormais|sempre"
    r"|mai|d['’]ora in poi"
    r"|a partir de agora)\b|いつも|必ず|今後|これから|总是|以后|从现在",
    re.IGNORECASE,
)
_OF_ANSWERS = re.compile(
    r"\b(?:answer|repl[yi]|respon|writ|us(?:e|ing)\b|giv|speak|talk|say|tell|explain|format|source|link|emoji|unit|metric"
    r"|short|brief|detail|number|bullet|paragraph|list|sentence|tone|markdown"
    r"|spelling|wording|style|language|h[áa]bl|tr[áa]t|resp[oó]nd|cont[eé]st|escr[ií]b"
    r"|antwort|schreib|sprich|benutz|verwend|contest|escrib|usa\b|usar|habla|répon|écri|utilis|parle|rispond"
    r"|scriv)\w*"
    r"|回答|答え|話し|使っ|用.{1,6}(?:说|写)",
    re.IGNORECASE,
)
_OF_ONESELF = re.compile(
    r"\b(?:i|we|he|she|they|my \w+|ich|wir|yo|je|j['’]|io|eu)\b(?!['’]?d like| want| prefer| would like"
    r"| ask)[^,.;]*$",
    re.IGNORECASE,
)
_FIRST_PERSON = re.compile(
    r"\b(?:i|i['’]\w+|im|ive|my|mine|me|we|we['’]\w+|our|us|ich|mein\w*|mir|mich|wir|unser\w*|yo|mi|mis|me"
    r"|nosotros|je|j['’]\w*"
    r"|mon|ma|mes|moi|nous|notre|io|mio|mia|eu|meu|minha)\b|私|僕|俺|我|저는|나는|제 |\bя\b|\bмо[йяеи]\b",
    re.IGNORECASE,
)
_SECOND_PERSON = re.compile(r"\b(?:you|you['’]\w+|your|u|ur|du|dein\w*|eres|tu es|sei)\b", re.IGNORECASE)
_OTHER_LANGUAGES = frozenset(
    """
    ich und der die das ist bin mein meine meinen nicht ein eine einen wir mit zu im nutzer yo soy el los las que es
    mi mis vivo tengo de del por para con una usuario je suis le les est mon mes et un une dans avec utilisateur io sono
    che di ho eu sou uma tenho moro meu minha ik ben mijn en het een van
    """.split()
)
"""Small words of some languages that English does not have."""
_TASK = re.compile(
    r"^\W*(?:(?:can|could|would|will) you|please|pls|ok(?:ay)?|now|and|then|hey|hi)?\W*(?:can you |could you "
    r"|please )?(?:write|translate"
    r"|fix|explain|summari[sz]e|give|tell|show|make|suggest|recommend|list|find|help|compare|draft|generate"
    r"|create|calculate|convert"
    r"|rewrite|proofread|describe|define|schreib|übersetz|erklär|fass|gib|zeig|escrib|traduc|explic|dame|écri"
    r"|tradui|expliqu|donne)\w*\b",
    re.IGNORECASE,
)


_QUOTED = re.compile(r"[\"“„«](?=(?:[^\"”“»]*\s){2})[^\"”“»\n]{8,}[\"”“»]|(?<!\w)'(?=(?:[^']*\s){3})[^'\n]{8,}'(?!\w)")
"""Text in quotation marks is mostly another person's; a word or two may be a name."""
_MATERIAL = re.compile(
    r"(?is)^[^:\n]{0,60}\b(?:translate|proofread|correct|rewrite|summari[sz]e|rephrase|shorten|fix|check|improve|reword"
    r"|tidy|clean up|paraphrase|condense|reformat|transcribe"
    r"|übersetz\w*|korrigier\w*|traduc\w*|corrige\w*|tradui\w*)\b"
    r"(?:[^:\n]{0,60}:|[^:\n]{0,30}\b(?:this|these|the following)\b[^:\n]{0,30}\n).*?(?=\n\s*\n|\Z)"
)
"""The object of a task, up to an empty line."""
_LABELLED = re.compile(
    r"(?m)^[ \t]*(?:\[[^\]\n]{1,20}\] ?|\d\d?:\d\d ?)?[A-ZÀ-Þ][\w.'-]*(?: [\w.'-]+){0,2}: (?P<said>.+)$"
)
"""A line of a written conversation: "Speaker 1: I'm here"."""
_FEWEST_SPEAKING = 2
_REQUEST_BEHIND = re.compile(r"(?i)(?<=\w),? so (?:no|please|nothing|only|what|which|how)\b[^.,;!]*$")
"""As in "my knees are bad so no jumping please"."""


def is_question(sentence: str) -> bool:
    """Return whether `sentence` ends in a question mark, or is worded as a question."""
    worded = _ASKS.match(sentence) or _ENDS_AS_QUESTION.search(sentence.strip())
    return ends_with_question_mark(sentence) or worded is not None


def is_wish(clause: str) -> bool:
    """Return whether `clause` asks, in the user's own words, for a way of answering from now on."""
    if _THIS_ONCE.search(clause) and not _FOR_GOOD.search(clause):
        return False
    if _WISH_BY_ITSELF.search(clause):
        return True
    lasting = _FOR_GOOD.search(clause)
    if lasting is None or not _OF_ANSWERS.search(clause):
        return False
    return not _OF_ONESELF.search(clause[: lasting.start()])


def is_fiction(message: str, earlier: Sequence[str] = ()) -> bool:
    """Return whether `message` tells a dream or plays a part, or goes on with what the messages before it began."""
    if _REAL_AGAIN.search(message):
        return False
    return bool(_DREAM.search(message)) or any(_ROLE_PLAY.search(text) for text in (message, *earlier))


def telling_clauses(message: str) -> Iterator[str]:
    """Yield what may tell something lasting: sentences of a message, and clauses before a question or a request."""
    own = _MATERIAL.sub("", _QUOTED.sub(" ", message))
    speaking = [one for one in _LABELLED.finditer(own) if speaks_of_oneself(one["said"])]
    if len(speaking) >= _FEWEST_SPEAKING:
        own = _LABELLED.sub("", own)
    for sentence in sentences(own):
        clause: str | None = sentence
        if is_question(sentence) and not (_ASKED_POLITELY.match(sentence) and is_wish(sentence)):
            before = (sentence[: mark.start()] for mark in reversed(list(_CLAUSE.finditer(sentence))))
            clause = next((part for part in before if not is_question(part)), None)
        if clause is None:
            continue
        clause = clause if is_wish(clause) else _REQUEST_BEHIND.sub("", clause)
        about_the_assistant = _SECOND_PERSON.search(clause) and not speaks_of_oneself(clause)
        beside_the_point = about_the_assistant or any(form.search(clause) for form in (_SUPPOSED, _TASK, _OPINION))
        parts = [part for part in split_clauses(clause) if units(part)]
        passing = parts and all(map(is_passing, parts))
        if is_wish(clause) or not (beside_the_point or passing):
            yield clause


def is_passing(text: str) -> bool:
    """Return whether `text` states a mood, thanks, or a present activity."""
    return _PASSING.search(text) is not None or _MOMENTARY.search(text) is not None


def is_foreign(text: str) -> bool:
    """Return whether `text` seems to be in another language than English: by its letters and its small words."""
    said = words(text)
    foreign = sum(word in _OTHER_LANGUAGES or not word.isascii() for word in said)
    return foreign > sum(word in STOP_WORDS and word not in _OTHER_LANGUAGES for word in said)


def speaks_of_oneself(text: str) -> bool:
    """Return whether `text` says I, my, we or our."""
    return _FIRST_PERSON.search(text) is not None


def split_clauses(sentence: str) -> list[str]:
    """Return the clauses of `sentence`."""
    return [part for part in _CLAUSE.split(sentence) if part]
