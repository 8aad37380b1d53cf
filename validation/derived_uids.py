"""UIDs that are derived, never drawn: the same content gives the same UID, other content another one."""

import hashlib
from uuid import UUID


def derived_uid(*parts: str) -> str:
    """Return `2.25.` and the decimal form of a UUID that is the SHA-256 of `parts`. Source: PS3.5 B.2."""
    # Each part carries its length, so that moving a character from one part to the next gives another UID.
    digest = hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode()).digest()
    return f"2.25.{UUID(bytes=digest[:16], version=5).int}"
