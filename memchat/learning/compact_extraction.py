"""Run an extraction in the compact form: the calls, and the combination with the facts that the rules find."""

from dataclasses import replace

from memchat.core.protocols import Embedder, LanguageModel
from memchat.learning import changes, compact_form, extraction, periods, reconcile
from memchat.learning.clauses import is_wish, telling_clauses
from memchat.learning.combination import combined
from memchat.learning.extraction import Exchange, Extraction, Fact
from memchat.learning.extraction_parser import parse
from memchat.learning.lasting import LastingSentences

MAX_ASKED_AGAIN = 2
"""So many sentences of a message are asked about again, one call each, since a small model often notes one of two."""


def extract_compactly(
    model: LanguageModel,
    exchange: Exchange,
    embedder: Embedder,
    rules: LanguageModel | None = None,
    lasting: LastingSentences | None = None,
) -> Extraction:
    """Extract with a short call for every few sentences, answered in lines; with none if the message has no statement.

    Facts that `rules` read take precedence over the model's. A sentence that says something lasting without doubt is
    kept in the user's own words if neither notes anything of it.
    """
    told = list(telling_clauses(exchange.user))
    ruled = Extraction()
    if rules is not None:
        ruled = parse(rules.complete(extraction.request(exchange)).text)
        # The rules do not see what is quoted or played.
        own = [] if compact_form.plays_a_part(exchange) else told
        stated = (fact for fact in ruled.facts if any(fact.quote in clause or clause in fact.quote for clause in own))
        ruled = replace(ruled, facts=tuple(stated))
    if lasting is not None and not any(is_wish(clause) or not lasting.is_passing(clause) for clause in told):
        told = []
    answers = [model.complete(request).text for request in compact_form.requests(exchange)] if told else []
    noted = compact_form.read("\n".join(answers), exchange)
    left = compact_form.passed_over(exchange, combined(ruled, noted)) if len(told) > 1 else []
    if left := [clause for clause in left if lasting is None or not lasting.is_passing(clause)][:MAX_ASKED_AGAIN]:
        answers += [model.complete(request).text for request in compact_form.requests(exchange, left)]
        noted = compact_form.read("\n".join(answers), exchange)
    if told and lasting is not None:
        sure = [
            clause for clause in compact_form.passed_over(exchange, combined(ruled, noted)) if lasting.is_sure(clause)
        ]
        noted = replace(noted, facts=(*noted.facts, *compact_form.in_own_words(sure, exchange)))
    forget = tuple({one.number: one for one in (*reconcile.references_to_forget(exchange), *ruled.forget)}.values())
    quotes = {reference.quote for reference in forget}
    noted = replace(
        noted, facts=periods.date_facts([fact for fact in noted.facts if fact.quote not in quotes], exchange.today)
    )
    both = combined(ruled, noted)
    facts = periods.since_said_beside([fact for fact in both.facts if _is_lasting(fact, lasting)], exchange.user)
    return changes.with_changes(replace(both, facts=facts, forget=forget), exchange, embedder)


def _is_lasting(fact: Fact, lasting: LastingSentences | None) -> bool:
    """Return whether the user's sentence, and the clause of it that is kept verbatim, say something lasting."""
    if lasting is None or fact.standing:
        return True
    is_clause = fact.text != fact.quote and fact.text in fact.quote
    return not any(map(lasting.is_passing, [fact.quote, fact.text] if is_clause else [fact.quote]))
