"""What the offline model keeps of a message, and what it leaves out."""

from datetime import date

import pytest

from memchat.offline.extraction import without_marks
from tests.offline.cases import learned, texts


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("I'm vegetarian and I live in Berlin.", ["User is vegetarian.", "User lives in Berlin."]),
        ("My name is Sam and I'm 34 years old.", ["User's name is Sam.", "User is 34 years old."]),
        ("I'm Emma, nice to meet you!", ["User's name is Emma."]),
        ("i'm from brazil but i live in portugal", ["User is from brazil.", "User lives in portugal."]),
        ("I'm a software engineer at Google.", ["User is a software engineer at Google."]),
        ("I have two kids, Mia and Leo.", ["User has two kids, Mia and Leo."]),
        ("My sister Ana is vegan.", ["User's sister Ana is vegan."]),
        ("I'm severely allergic to peanuts.", ["User is severely allergic to peanuts."]),
        ("I don't drink coffee, it makes me jittery.", ["User does not drink coffee; it makes them jittery."]),
        ("I like hiking, chess and tea.", ["User likes hiking, chess and tea."]),
        ("I like jazz, tea, chess, hiking and old maps", ["User likes jazz, tea, chess, hiking and old maps."]),
        ("I love tea but I hate running.", ["User loves tea.", "User hates running."]),
        ("I cook and bake.", ["User cooks and bakes."]),
        (
            "I'm building a recipe app in Flutter for my mom.",
            ["User is building a recipe app in Flutter for their mom."],
        ),
        ("I use Neovim and tmux every day.", ["User uses Neovim and tmux every day."]),
        ("I've got a kitten, she's called Miso.", ["User has a kitten called Miso."]),
        ("My favorite color is green.", ["User's favorite color is green."]),
        ("I drive a Tesla Model 3.", ["User drives a Tesla Model 3."]),
        ("1) I'm Rosalind\n2) I speak Spanish", ["User's name is Rosalind.", "User speaks Spanish."]),
        ("As a kid I lived in Prague, does it still have trams?", ["User lived in Prague as a kid."]),
        ("My laptop keeps crashing.", ["User's laptop keeps crashing."]),
        ("I'm Dutch.", ["User is Dutch."]),
        ("I'm a father of two.", ["User is a father of two."]),
        ("My pronouns are they/them.", ["User's pronouns are they/them."]),
        ("My brother lives in Oslo.", ["User's brother lives in Oslo."]),
        ("My landlord is called Tove.", ["User's landlord is called Tove."]),
        ("I take insulin every morning.", ["User takes insulin every morning."]),
        ("I don't smoke.", ["User does not smoke."]),
        ("I got promoted!", ["User got promoted."]),
        ("I moved in with my sister.", ["User moved in with their sister."]),
        ("I bought a kayak.", ["User bought a kayak."]),
        ("I'm moving to Lisbon.", ["User is moving to Lisbon."]),
        ("I'll visit Rome next month.", ["User will visit Rome in April 2026."]),
        ("I want to learn Greek.", ["User wants to learn Greek."]),
        (
            "I've been a nurse in Cork for eleven years. It's loud, as you can imagine. I'm vegan.",
            ["User has been a nurse in Cork for eleven years.", "User is vegan."],
        ),
    ],
)
def test_statements_about_oneself_become_sentences_in_the_third_person(message: str, expected: list[str]) -> None:
    """Each statement is one whole sentence that keeps its names, numbers and qualifiers."""
    assert texts(learned(message)) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "I'm building a SaaS product in Laravel for the healthcare industry, targeting small clinics",
            "User is building a SaaS product in Laravel for the healthcare industry, targeting small clinics.",
        ),
        (
            "I run a bakery in Lyon, specialising in rye bread.",
            "User runs a bakery in Lyon, specialising in rye bread.",
        ),
        ("I'm writing a game engine, written in Zig.", "User is writing a game engine, written in Zig."),
        ("I work at a startup, focusing on batteries", "User works at a startup, focusing on batteries."),
        ("I live in Berlin, sitting on a train right now.", "User lives in Berlin."),
        ("I work at Siemens, waiting for the bus", "User works at Siemens."),
        ("I live in Oslo, using my phone to type this.", "User lives in Oslo."),
    ],
)
def test_what_a_thing_is_for_stays_with_it(message: str, expected: str) -> None:
    """Its customers, its field, what it is made with; what the speaker does meanwhile goes."""
    assert texts(learned(message)) == [expected]


def test_an_order_and_a_contact_are_kept_without_the_coffee() -> None:
    """Of a complaint, the case is kept and the passing circumstance is not."""
    found = learned(
        "My order #4821 still has not arrived. I contacted support last week and got no update. "
        "Also, I was checking this while making coffee this morning."
    )
    assert texts(found) == [
        "User's order #4821 still has not arrived.",
        "User contacted support in the week of 9 March 2026 and got no update.",
    ]
    assert [fact.category for fact in found.facts] == ["support", "support"]


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("My order number is A-4471.", "User's order number is A-4471."),
        ("I returned order 5521 last week.", "User returned order 5521 in the week of 9 March 2026."),
        ("I'd like a refund for the lamp.", "User would like a refund for the lamp."),
        ("I restarted the router twice.", "User restarted the router twice."),
        ("I wear size 42 shoes.", "User wears size 42 shoes."),
        ("My feet are wide.", "User's feet are wide."),
        ("I was diagnosed with asthma in 2019.", "User was diagnosed with asthma in 2019."),
        ("I have a bad back.", "User has a bad back."),
        ("I had knee surgery in 2019.", "User had knee surgery in 2019."),
        ("I started eating fish again.", "User started eating fish again."),
        ("I have porridge for breakfast.", "User has porridge for breakfast."),
        ("I'm a big fan of jazz.", "User is a big fan of jazz."),
        ("I'd rather take the train.", "User would rather take the train."),
        ("I run every morning.", "User runs every morning."),
        ("I adopted two cats.", "User adopted two cats."),
        ("My wife's name is Mia.", "User's wife's name is Mia."),
        ("My landlord Tove collects the rent on Fridays.", "User's landlord Tove collects the rent on Fridays."),
        ("I'm teaching at Kiel University.", "User is teaching at Kiel University."),
        ("I'm the treasurer of our chess club.", "User is the treasurer of their chess club."),
        ("I study physics in Kiel.", "User studies physics in Kiel."),
        ("I'm back on Vim.", "User is back on Vim."),
        ("My address is 5 High Street.", "User's address is 5 High Street."),
        ("My flat is on the third floor.", "User's flat is on the third floor."),
        ("My commute takes an hour.", "User's commute takes an hour."),
        ("I take the 7:40 train to work.", "User takes the 7:40 train to work."),
        ("I rent a flat in Kiel.", "User rents a flat in Kiel."),
        ("I'm staying with Ana in Oslo.", "User is staying with Ana in Oslo."),
        ("I bank with Barclays.", "User banks with Barclays."),
        ("My membership number is 99412.", "User's membership number is 99412."),
        ("I have plot 12 by the river.", "User has plot 12 by the river."),
        ("My rent is now 900 euros.", "User's rent is 900 euros."),
        ("Hate olives.", "User hates olives."),
        ("Allergic to nuts.", "User is allergic to nuts."),
        ("Moving to Oslo in May.", "User is moving to Oslo in May 2026."),
        ("Friday was my last day at Bosch.", "User left Bosch on 13 March 2026."),
        ("I got a puppy yesterday, she's called Miso.", "User got a puppy called Miso on 17 March 2026."),
        ("I emailed you about order 4471.", "User emailed support about order 4471."),
        ("I live in Oslo, nobody else does.", "User lives in Oslo and nobody else does."),
        ("The lamp from order 4471 came broken.", "The lamp from User's order 4471 came broken."),
        ("Only contact me by email.", "User wants to be contacted only by email."),
        ("I'm living in Oslo now.", "User is living in Oslo."),
    ],
)
def test_each_kind_of_statement_is_read(message: str, text: str) -> None:
    """One sentence for each rule that no other test needs."""
    assert texts(learned(message)) == [text]


@pytest.mark.parametrize(
    "message",
    [
        "What's the capital of Peru?",
        "Do I need a visa if I'm German?",
        "I live in Berlin?",
        "Tell me a joke about elevators",
        "thanks, you're the best",
        "I'm so tired today.",
        "I'm on the train to Paris right now",
        "I'm making dinner",
        "I have a headache",
        "If I moved to Rome, would I need a car?",
        "I might move to Rome next year.",
        "I wish I had a dog.",
        "Imagine I'm a pirate. I live on a ship.",
        "Let's play: I'm Captain Red, I'm terrified of parrots.",
        "I'm thinking about getting a dog.",
        "My brother says I work too much.",
        'He said "I live in Berlin and I am a doctor".',
        "Translate: I live in Berlin.",
        "I love it!",
        "I love how quiet it is.",
        "I have a dog and want another one.",
        "I'm writing an email.",
        "I like your answer.",
        "Oh I just LOVE being on hold.",
        "I need help with my homework",
        "I'm using pandas to read a csv and get a KeyError.",
        "My mum is calling, one sec",
        "I don't have a car.",
        "Answer briefly this time.",
        "I was born on 17 May.",
        "I'm Tired.",
        "I use the editor my boss told me about.",
        "Ich wohne in Berlin.",
        "",
    ],
)
def test_what_is_no_lasting_statement_teaches_nothing(message: str) -> None:
    """Questions, requests, moods, passing moments, pretences, doubts and what others say are not kept."""
    assert learned(message) == learned("")


@pytest.mark.parametrize(
    ("message", "text", "valid_from"),
    [
        ("I quit smoking three days ago!", "User quit smoking on 15 March 2026.", date(2026, 3, 15)),
        ("We moved to Ghent yesterday.", "User has lived in Ghent since 17 March 2026.", date(2026, 3, 17)),
        ("I just moved to Amsterdam.", "User lives in Amsterdam.", None),
        ("As of today I'm self-employed.", "User is self-employed as of 18 March 2026.", date(2026, 3, 18)),
        (
            "I have a dentist appointment tomorrow at 3pm",
            "User has a dentist appointment on 19 March 2026 at 3pm.",
            None,
        ),
        ("I'm moving to Madrid in September.", "User is moving to Madrid in September 2026.", None),
        ("Today was my first day at Bosch.", "User started at Bosch on 18 March 2026.", date(2026, 3, 18)),
        ("My birthday is on 3 May.", "User's birthday is on 3 May.", None),
    ],
)
def test_dates_are_written_out(message: str, text: str, valid_from: date | None) -> None:
    """A sentence says its date itself; since when it holds is kept beside it once that day has come."""
    (fact,) = learned(message).facts
    assert (fact.text, fact.valid_from) == (text, valid_from)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("Call me Al.", "User wants to be called Al."),
        ("Can you call me Dr. Smith?", "User wants to be called Dr. Smith."),
        ("Use metric units please", "User wants the assistant to use metric units."),
        ("From now on, answer in German.", "User wants the assistant to answer in German."),
        ("keep your answers short", "User wants the assistant to keep its answers short."),
        ("Don't use emojis.", "User wants the assistant not to use emojis."),
        ("I prefer short answers", "User prefers short answers."),
        ("Always be brief when you explain code.", "User wants the assistant to be brief."),
        (
            "And whenever I ask for code, use tabs.",
            "User wants the assistant to use tabs, whenever they ask for code.",
        ),
    ],
)
def test_lasting_wishes_about_answers_are_standing(message: str, text: str) -> None:
    """What lasts by its nature, or is said to last, goes into every prompt."""
    (fact,) = learned(message).facts
    assert (fact.text, fact.standing) == (text, True)


def test_what_matters_for_the_moment_belongs_to_the_session() -> None:
    """A problem being worked on is kept for this conversation only."""
    (fact,) = learned("I'm currently troubleshooting a login problem.").facts
    assert fact.scope == "session"


def test_a_wish_for_this_conversation_stays_in_it() -> None:
    """It holds as long as the session does."""
    (fact,) = learned("For this session only, treat me like a beginner.").facts
    assert (fact.scope, fact.standing) == ("session", True)


def test_what_one_is_asked_to_remember_is_kept_whatever_it_is() -> None:
    """No rule needs to know the kind of fact."""
    assert texts(learned("Remember that my locker is number 214")) == ["User's locker is number 214."]
    assert texts(learned("My locker is number 214")) == []


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("Remember that the garage code word is bluebird", ["The garage code word is bluebird."]),
        ("Remember the meeting room is booked under Delta", ["The meeting room is booked under Delta."]),
        ("Don't forget that the wifi is called Falcon. Thanks!", ["The wifi is called Falcon."]),
        ("Please remember: the printer is on floor 3", ["The printer is on floor 3."]),
        ("Can you remember that Anna's train leaves tomorrow?", ["Anna's train leaves on 19 March 2026."]),
        ("Keep in mind that if the alarm rings, we meet at Lena's.", ["If the alarm rings, we meet at Lena's."]),
        ("Remember that the wifi is Falcon and I live in Berlin", ["User lives in Berlin.", "The wifi is Falcon."]),
        ("Remember that I live in Berlin, and it rains a lot here", ["User lives in Berlin."]),
        ("Remember to water my plants.", ["User wants to remember to water their plants."]),
        ("Don't forget the milk", ["User wants to remember the milk."]),
        ("Don't forget to answer in German.", ["User wants the assistant to answer in German."]),
    ],
)
def test_a_request_to_remember_is_obeyed_where_no_rule_reads_it(message: str, kept: list[str]) -> None:
    """In the words it was said in, with its dates written out; what a rule reads is kept as that."""
    found = learned(message)
    assert texts(found) == kept
    assert learned("Don't forget the milk", ["User likes milk."]).forget == ()


@pytest.mark.parametrize(
    "message",
    [
        "Remember when phones had buttons?",
        "Remember me?",
        "Remember this.",
        "Do you remember the code?",
        "I remember that the code is blue",
        "Remember what I told you about Rome.",
        "Remember, I'm only joking about the code.",
        "Translate: remember that the code is blue.",
        "Pretend you are a butler. Remember that the code is blue.",
    ],
)
def test_what_only_sounds_like_a_request_to_remember_is_not_kept(message: str) -> None:
    """Memories recalled aloud, jokes, pretences, and texts to work on."""
    assert learned(message) == learned("")


def test_facts_come_with_cues() -> None:
    """The situations for recall go with each fact."""
    (fact,) = learned("I'm vegan.").facts
    assert "choosing a restaurant" in fact.cues


def test_instructions_that_name_a_category_keep_the_others_out() -> None:
    """'Only … support' is the one kind of instruction that rules can follow."""
    message = "My order #77 has not arrived. I have two dogs."
    assert texts(learned(message, instructions="Keep only customer-support facts.")) == [
        "User's order #77 has not arrived."
    ]
    assert len(learned(message, instructions="Be thorough.").facts) == 2


@pytest.mark.parametrize(
    ("message", "plain"),
    [
        ("I'm **vegan** and live in *Graz*.", "I'm vegan and live in Graz."),
        ("I like `nuts`, __not__ ~~figs~~.", "I like nuts, not figs."),
        ("I like tea 😊", "I like tea"),
        ("😀 🎉 I live in Ulm 👨‍👩‍👧!", "I live in Ulm!"),
        ("I like 🦀 and tea. I like jam.", "I like jam."),
        (
            "I use C#, 2*3*4 and snake_case_name at 20° for 30 €.",
            "I use C#, 2*3*4 and snake_case_name at 20° for 30 €.",
        ),
    ],
)
def test_marks_and_emoji_are_no_part_of_what_is_read(message: str, plain: str) -> None:
    """A sentence that an emoji stands in for a word of is left out."""
    assert without_marks(message) == plain
