"""Record which models give unusable answers when they extract memories, by name."""

from memchat.storage.database import Database

MAX_UNUSABLE = 2
"""After so many unusable answers in a row a model is asked in the compact form."""


class ExtractionForms:
    """Counts unusable answers in a row. A model that has changed over to the compact form stays with it."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def unusable(self, model: str) -> int:
        """Count the unusable answers of `model` in a row, up to MAX_UNUSABLE."""
        return int(self._db.value("SELECT unusable FROM extraction_forms WHERE model = ?", (model,)) or 0)

    def prefers_compact(self, model: str) -> bool:
        return self.unusable(model) >= MAX_UNUSABLE

    def note(self, model: str, *, usable: bool) -> bool:
        """Count one answer in the full form; whether `model` has just changed over by it."""
        before = self.unusable(model)
        after = 0 if usable else before + 1
        if after != before and before < MAX_UNUSABLE:
            self._db.execute("INSERT OR REPLACE INTO extraction_forms (model, unusable) VALUES (?, ?)", (model, after))
        return before < MAX_UNUSABLE <= after
