"""Periods: what requests and messages mean by "yesterday", "in May", "vor drei Tagen"."""

from datetime import date

import pytest

from memchat.recall.periods import Period, period_of, with_days

TODAY = date(2022, 8, 10)
"""A Wednesday."""


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Yesterday I took the dogs out.", "Yesterday [= 9 August 2022] I took the dogs out."),
        ("It was the day before yesterday.", "It was the day before yesterday [= 8 August 2022]."),
        ("We met last week.", "We met last week [= 1-7 August 2022]."),
        ("Last weekend we hiked.", "Last weekend [= 6-7 August 2022] we hiked."),
        ("It broke nİne days ago.", "It broke nİne days ago [= 1 August 2022]."),
        ("It broke laſt Frİday.", "It broke laſt Frİday [= 5 August 2022]."),
        ("Wir fahren übermorgen ab.", "Wir fahren übermorgen [= 12 August 2022] ab."),
        ("Cheguei há dois dias.", "Cheguei há dois dias [= 8 August 2022]."),
        ("Two weekends ago we hiked.", "Two weekends ago [= 30-31 July 2022] we hiked."),
        ("I moved last month.", "I moved last month [= July 2022]."),
        ("I retired last year.", "I retired last year [= 2021]."),
        ("It broke last Friday.", "It broke last Friday [= 5 August 2022]."),
        ("It broke last Fri on my way.", "It broke last Fri [= 5 August 2022] on my way."),
        ("We met last Thurs.", "We met last Thurs [= 4 August 2022]."),
        ("I began a few years back.", "I began a few years back [= about 2019]."),
        ("See last Friday's game.", "See last Friday's [= 5 August 2022] game."),
        ("I read it three days ago.", "I read it three days ago [= 7 August 2022]."),
        ("A couple of weeks ago I fell.", "A couple of weeks ago [= about 27 July 2022] I fell."),
        ("We wed ten years ago.", "We wed ten years ago [= about 2012]."),
        ("I leave the day after tomorrow.", "I leave the day after tomorrow [= 12 August 2022]."),
        ("The exam is next Monday.", "The exam is next Monday [= 15 August 2022]."),
        ("The exam is next week.", "The exam is next week [= 15-21 August 2022]."),
        ("I have been playing for about four months.", None),
        ("I've been playing for about four months now.", None),
        (
            "Gestern war ich dort, morgen wieder.",
            "Gestern [= 9 August 2022] war ich dort, morgen [= 11 August 2022] wieder.",
        ),
        ("La semana pasada llovió.", "La semana pasada [= 1-7 August 2022] llovió."),
        ("Je l'ai vu il y a trois jours.", "Je l'ai vu il y a trois jours [= 7 August 2022]."),
        ("Hier soir j'ai dormi.", "Hier [= 9 August 2022] soir j'ai dormi."),
        ("Mardi dernier on a mangé.", "Mardi dernier [= 9 August 2022] on a mangé."),
        ("Я был там вчера.", "Я был там вчера [= 9 August 2022]."),
    ],
)
def test_a_relative_day_in_a_message_is_followed_by_the_day_it_meant(said: str, meant: str | None) -> None:
    """Whatever the language; what has lasted for some time by when it began."""
    if meant is None:
        assert "[since about April 2022]" in with_days(said, TODAY)
    else:
        assert with_days(said, TODAY) == meant


@pytest.mark.parametrize(
    "said",
    [
        "I run every day.",
        "Guten Morgen!",
        "Nos vemos por la mañana.",
        "The past year was hard.",
        "I lived there for five years.",
        "Are you free next Friday?",
        "I am two weeks back at work.",
        "C'était mon dernier voyage.",
        "Hier sind drei Namen: Mina, Pixel und Zimt.",
        "Ik woon hier in de buurt.",
        "It was fun.",
    ],
)
def test_what_means_no_certain_day_stays_as_it_is(said: str) -> None:
    """Durations, times of the day, and next Friday on a Wednesday, by which people mean either."""
    assert with_days(said, TODAY) == said


@pytest.mark.parametrize(
    ("asked", "period"),
    [
        ("What did I do in May?", Period(date(2022, 5, 1), date(2022, 5, 31))),
        ("What did I do last Tuesday?", Period(date(2022, 8, 9), date(2022, 8, 9))),
        ("What did I do before June?", Period(None, date(2022, 5, 31))),
        ("What did I do in the last three weeks?", Period(date(2022, 7, 20), date(2022, 8, 10))),
        ("What did I say in the past month?", Period(date(2022, 7, 11), date(2022, 8, 10))),
        ("What shall I do next week?", None),
        ("What may I eat?", None),
    ],
)
def test_a_request_names_the_period_in_which_its_answer_was_said(asked: str, period: Period | None) -> None:
    """Only one that lies behind."""
    assert period_of(asked, TODAY) == period
