"""The measured scale of each embedder's cosines, by its fingerprint."""

from memchat.core.types import CosineScale
from memchat.storage.database import Database


def cosine_scale(database: Database, fingerprint: str) -> CosineScale | None:
    """Return the measured scale of the vectors of `fingerprint`, or None."""
    row = database.row("SELECT unrelated, dividing FROM cosine_scales WHERE fingerprint = ?", (fingerprint,))
    return None if row is None else CosineScale(row["unrelated"], row["dividing"])


def keep_cosine_scale(database: Database, fingerprint: str, scale: CosineScale) -> None:
    """Keep what was measured, in the place of what was measured before."""
    database.execute(
        "INSERT OR REPLACE INTO cosine_scales (fingerprint, unrelated, dividing) VALUES (?, ?, ?)",
        (fingerprint, scale.unrelated, scale.dividing),
    )
