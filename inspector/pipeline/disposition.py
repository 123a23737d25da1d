"""From verdict to disposition. OK needs positive proof; everything else that is not a clear NG is held."""

from inspector.domain.disposition import PASS, REJECT, Disposition, HoldReason
from inspector.domain.verdict import Outcome, Verdict


def disposition_of(verdict: Verdict) -> Disposition:
    if verdict.outcome is Outcome.OK:
        return PASS
    if verdict.outcome is Outcome.NG:
        return REJECT
    if not verdict.exits:
        return Disposition.hold(HoldReason.UNDECIDED, "no stage was asked")
    last = verdict.exits[-1]
    return Disposition.hold(HoldReason.UNDECIDED, f"{last.exit} gave p_defect {last.p_defect:.3f}, inside its band")
