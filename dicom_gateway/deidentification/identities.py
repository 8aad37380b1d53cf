"""New identities from old ones by a secret key: the same old one always gives the same new one, and none leads back."""

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

from triage.errors import InvalidSetting

FEWEST_KEY_BYTES = 32
LONGEST_SHIFT_DAYS = 3650


@dataclass(frozen=True, slots=True)
class Identities:
    """Pseudonyms under one key; whoever has the key can link new to old by trying, nobody else can."""

    key: bytes = field(repr=False)

    def uid(self, original: str) -> str:
        """Return the UID that stands for `original`, `2.25.` and a UUID in decimal form. Source: PS3.5 B.2."""
        return f"2.25.{UUID(bytes=self._keyed('uid', original)[:16], version=5).int}"

    def patient(self, patient_id: str, issuer: str) -> str:
        """Return the Patient ID, and name, that stands for a patient: 16 capital letters and digits."""
        return f"ANON{self._keyed('patient', patient_id, issuer).hex()[:12].upper()}"

    def days_back(self, patient_id: str, issuer: str) -> int:
        """Return by how many days all dates of a patient go back: 1 to 3650, so intervals within a patient stay."""
        return 1 + int.from_bytes(self._keyed("shift", patient_id, issuer)[:8], "big") % LONGEST_SHIFT_DAYS

    def _keyed(self, *parts: str) -> bytes:
        # Each part carries its length, so that moving a character from one part to the next gives another result.
        text = "".join(f"{len(part)}:{part}" for part in parts)
        return hmac.new(self.key, text.encode(), hashlib.sha256).digest()


def read_key(path: Path) -> bytes:
    """Return the secret key in a file.

    Raises:
        InvalidSetting: there is no such file, or it is too short to be a secret.
    """
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        raise InvalidSetting(f"key file {path}: {error.strerror}") from error
    if len(key) < FEWEST_KEY_BYTES:
        raise InvalidSetting(f"key file {path}: {len(key)} bytes, at least {FEWEST_KEY_BYTES} random ones are needed")
    return key


def shifted(value: str, vr: str, days: int) -> str:
    """Return a date (DA) or date and time (DT) `days` earlier; a time alone (TM) stays.

    An empty text where the value is no whole date: half a date cannot be moved.
    """
    if vr == "TM":
        return value
    digits = value[:8].replace(".", "")
    if len(digits) != 8 or not digits.isdigit():
        return ""
    try:
        moved = date(int(digits[:4]), int(digits[4:6]), int(digits[6:])) - timedelta(days=days)
    except (ValueError, OverflowError):
        return ""
    return f"{moved:%Y%m%d}{value[8:] if vr == 'DT' else ''}"
