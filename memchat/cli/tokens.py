"""`memchat tokens`: give programs access to the memories of one user or agent through `memchat serve`."""

from typing import Annotated

from memchat.cli import completion
from memchat.cli.lazy_groups import Command, group
from memchat.cli.options import Json
from memchat.cli.output import Line, Result, Table
from memchat.config import load_settings
from memchat.core.types import Owner
from memchat.errors import UsageError
from memchat.servers.tokens import Token, Tokens

app = group("tokens", "Create, list and revoke tokens for memchat serve, each for one user or agent.")

OfUser = Annotated[str | None, completion.user_option(help="User whose memories the token gives access to.")]
ForAgent = Annotated[str | None, completion.agent_option(help="Agent whose memories the token gives access to.")]


@app.command(cls=Command)
def add(*, user: OfUser = None, agent: ForAgent = None, as_json: Json = False) -> Result:
    """Create a token and print it. It is shown only once, because memchat stores its hash only.

    A client sends it like the server key, to memchat serve or memchat mcp --http.
    """
    if (user is None) == (agent is None):
        raise UsageError("Say whose memories the token is for.", hint="Example: --user alice, or --agent shop")
    from memchat.app import utc_now

    owner = Owner.user(user) if user is not None else Owner.agent(agent or "")
    text, token = Tokens(load_settings().home).add(owner, utc_now())
    notes = [f"Save it now: it will not be shown again. To revoke it: memchat tokens revoke {token.id}"]
    return Result({**_row(token), "token": text}, [Line(text)], notes, as_json)


@app.command("list", cls=Command)
def list_(*, user: OfUser = None, agent: ForAgent = None, as_json: Json = False) -> Result:
    """List the tokens with their ids, owners and creation days."""
    wanted = [*([Owner.user(user)] if user else ()), *([Owner.agent(agent)] if agent else ())]
    tokens = [token for token in Tokens(load_settings().home).all() if not wanted or token.owner in wanted]
    rows = [
        (token.id, str(token.owner.kind), token.created_at.astimezone().strftime("%Y-%m-%d"), token.owner.name)
        for token in tokens
    ]
    notes = [] if tokens else ["There are no tokens yet. memchat tokens add creates one."]
    return Result(
        list(map(_row, tokens)), [Table(("ID", "FOR", "SINCE", "NAME"), rows)] if rows else [], notes, as_json
    )


@app.command(cls=Command)
def revoke(
    id_: Annotated[
        str,
        completion.token_argument(help="Id of the token, as in memchat tokens list."),
    ],
    *,
    as_json: Json = False,
) -> Result:
    """Revoke a token. The next request that uses it is rejected."""
    token = Tokens(load_settings().home).revoke(id_)
    return Result(_row(token), [Line(f"Revoked the token of {token.owner.kind} {token.owner.name}.")], as_json=as_json)


def _row(token: Token) -> dict[str, str]:
    return {"id": token.id, token.owner.kind: token.owner.name, "created_at": token.created_at.isoformat()}
