"""The audit trail: who changed what, from which value to which, when and why (21 CFR 11.10(e))."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change. `old` and `new` are JSON texts or None."""

    at: datetime
    who: str
    action: str
    subject: str
    old: str | None
    new: str | None
    reason: str

    def chained_hash(self, previous_hash: str) -> str:
        """SHA-256 (hex) over the entry and the hash of the one before, so that a later edit shows."""
        fields = [
            previous_hash,
            self.at.isoformat(),
            self.who,
            self.action,
            self.subject,
            self.old,
            self.new,
            self.reason,
        ]
        return hashlib.sha256(json.dumps(fields, ensure_ascii=False).encode()).hexdigest()
