"""`memchat tokens`: let programs reach one person's memories through `memchat serve`, and no others."""

from typing import Annotated

from memchat.cli import completion
from memchat.cli.lazy_groups import Command, group
from memchat.cli.options import Json
from memchat.cli.output import Line, Result, Table
from memchat.config import load_settings
from memchat.core.types import Owner
from memchat.errors import UsageError
from memchat.servers.tokens import Token, Tokens

app = group("tokens", "Make, list and revoke tokens for memchat serve, each for one user or agent.")

OfUser = Annotated[str | None, completion.user_option(help="The user whose memories it reaches.")]
ForAgent = Annotated[str | None, completion.agent_option(help="The agent whose own memories it reaches.")]


@app.command(cls=Command)
def add(*, user: OfUser = None, agent: ForAgent = None, as_json: Json = False) -> Result:
    """Make a token, and print it: it is shown only now, for only its hash is kept.

    A client sends it as it would the key, to memchat serve or memchat mcp --http.
    """
    if (user is None) == (agent is None):
        raise UsageError("Say whose memories the token is for.", hint="As in: --user alice, or --agent shop")
    from memchat.app import utc_now

    owner = Owner.user(user) if user is not None else Owner.agent(agent or "")
    text, token = Tokens(load_settings().home).add(owner, utc_now())
    notes = [f"Keep it now: it is not shown again. memchat tokens revoke {token.id} takes it back."]
    return Result({**_row(token), "token": text}, [Line(text)], notes, as_json)


@app.command("list", cls=Command)
def list_(*, user: OfUser = None, agent: ForAgent = None, as_json: Json = False) -> Result:
    """List the tokens: their ids, whose memories they reach, and since when."""
    wanted = [*([Owner.user(user)] if user else ()), *([Owner.agent(agent)] if agent else ())]
    tokens = [token for token in Tokens(load_settings().home).all() if not wanted or token.owner in wanted]
    rows = [
        (token.id, str(token.owner.kind), token.created_at.astimezone().strftime("%Y-%m-%d"), token.owner.name)
        for token in tokens
    ]
    notes = [] if tokens else ["There are no tokens yet: memchat tokens add makes one."]
    return Result(
        list(map(_row, tokens)), [Table(("ID", "FOR", "SINCE", "NAME"), rows)] if rows else [], notes, as_json
    )


@app.command(cls=Command)
def revoke(
    id_: Annotated[
        str,
        completion.token_argument(help="The token's id, as memchat tokens list shows it."),
    ],
    *,
    as_json: Json = False,
) -> Result:
    """Take a token back: from the next request on it opens nothing."""
    token = Tokens(load_settings().home).revoke(id_)
    return Result(_row(token), [Line(f"Revoked, for the {token.owner.kind} {token.owner.name}.")], as_json=as_json)


def _row(token: Token) -> dict[str, str]:
    return {"id": token.id, token.owner.kind: token.owner.name, "created_at": token.created_at.isoformat()}
