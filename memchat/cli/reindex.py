"""`memchat reindex`: rebuild the search index, and the embeddings if the embedding model changed."""

from typing import TYPE_CHECKING

from memchat.cli.options import Json, open_app
from memchat.cli.output import Line, Result
from memchat.cli.progress import progress_bar
from memchat.errors import StoreBusy
from memchat.text.embedding import with_dimension
from memchat.text.plurals import pluralize

if TYPE_CHECKING:
    from memchat.app import App


def reindex(*, as_json: Json = False) -> Result:
    """Rebuild the search index from the database.

    If the embedding model has changed, every memory is embedded with the new one first, in small batches. You can
    interrupt this: the next run continues where it stopped.

    With --json: {"embedded", "messages", "indexed", "elsewhere"}; "elsewhere" is true if another memchat is using the
    index and rebuilds it itself.
    """
    with open_app() as app:
        embedder = app.embedder_provider.fresh_embedder()
        # Only this command calls the embedder for its dimension: another model may have taken the same name.
        fingerprint = with_dimension(embedder.fingerprint, embedder.dimension)
        app.embedder_provider.measure_scale()
        with progress_bar("Embedding") as progress:
            embedded = app.store.vectors.renew(fingerprint, embedder, progress)
        messages = index_messages(app) if app.settings.any_excerpts else 0
        indexed, elsewhere = 0, False
        try:
            with progress_bar("Indexing") as progress:
                indexed = app.engine.rebuild_index(fingerprint, progress)
        except StoreBusy:
            elsewhere = True
    data = {"embedded": embedded, "messages": messages, "indexed": indexed, "elsewhere": elsewhere}
    lines = [Line(f"{pluralize(embedded, 'memory', 'memories')} embedded with {fingerprint}.")] if embedded else []
    if messages:
        lines.append(Line(f"{pluralize(messages, 'message', 'messages')} made searchable."))
    if elsewhere:
        lines.append(Line("Another memchat is running and rebuilds the index itself."))
    else:
        lines.append(Line(f"{pluralize(indexed, 'memory', 'memories')} indexed."))
    return Result(data, lines, as_json=as_json)


def index_messages(app: "App") -> int:
    """Index every message that is not indexed yet; returns their number."""
    index, done = app.store.message_index, 0
    index.queue_foreign()
    waiting = index.backlog()
    with progress_bar("Messages") as progress:
        while count := index.index_next(None, app.embedder):
            done += count
            progress(done, max(done, waiting))
    return done
