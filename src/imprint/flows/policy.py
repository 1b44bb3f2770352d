"""What the owner of a collection decides, and the rules for names and labels."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import asdict, dataclass, field, fields
from datetime import timedelta
from typing import Any, Literal, get_args

from imprint.errors import InvalidLabelError, InvalidNameError, InvalidOptionError
from imprint.intake.masking import MASKS
from imprint.intake.quality.limits import QualityLimits
from imprint.intake.verdict import MODES, Mode

LABEL_LIMIT = 200
Eviction = Literal["refuse", "oldest", "redundant"]
EVICTIONS: tuple[Eviction, ...] = get_args(Eviction)
MOST_DAYS = 36_500
_LEAST_DAYS = {"max_age_days": 0.001, "retention_days": 0.0}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Policy:
    """Owner's choices for one collection.

    `false_accept_rate` (0.001 .. 0.5) is the share of queries of no class that may be answered
    with a class; thresholds are set for it. `head` is the few-shot classifier, "auto" lets the
    supports decide. `keep_raw` False stores embeddings only. `log_answers` False keeps no
    prediction log, so answers cannot be replayed or corrected later.

    `screening` says what happens to a support that a check holds: "quarantine" keeps it for review,
    "strict" does so for mere warnings, too, "off" makes no checks. `quality` replaces limits of the
    quality checks by name (see docs/safe-teaching.md).

    `mask` names kinds of personal data that are replaced in texts before they are embedded or
    stored, and in queries: "email", "iban", "card", "ip", "phone".

    `max_age_days` is how long a support answers at most. `retention_days` is how long a forgotten
    or expired one can be brought back before `imprint sweep` erases it. `eviction` says what
    happens where one support more would pass the tenant's limit: "refuse" it, or forget the
    "oldest" or the most "redundant" support of its class (see docs/operations/lifecycle.md).
    """

    false_accept_rate: float = 0.05
    head: str = "auto"
    keep_raw: bool = True
    log_answers: bool = True
    screening: Mode = "quarantine"
    quality: dict[str, float] = field(default_factory=dict)
    mask: tuple[str, ...] = ()
    max_age_days: float | None = None
    retention_days: float | None = None
    eviction: Eviction = "refuse"

    @classmethod
    def of(cls, policy: Policy | dict[str, Any] | None) -> Policy:
        """Read a policy given as a mapping; absent fields take their defaults.

        Raises:
            InvalidOptionError: an unknown field or a value out of range, named in the message.
        """
        if isinstance(policy, cls):
            return policy
        if policy is not None and not isinstance(policy, dict):
            raise InvalidOptionError("a policy is a mapping of field names to values")
        chosen = dict(policy or {})
        known = {f.name: f.type for f in fields(cls)}
        unknown = sorted(set(chosen) - set(known), key=str)
        if unknown:
            raise InvalidOptionError(
                f"unknown policy field {unknown[0]!r}; known are {', '.join(sorted(known))}"
            )
        for name in ("keep_raw", "log_answers"):
            if name in chosen and not isinstance(chosen[name], bool):
                raise InvalidOptionError(f"policy field {name} must be true or false")
        if isinstance(chosen.get("mask"), list):
            chosen["mask"] = tuple(chosen["mask"])
        made = cls(**chosen)
        made._check()
        return made

    def to_json(self) -> dict[str, Any]:
        """Shape this policy as a JSON object."""
        return {**asdict(self), "mask": list(self.mask)}

    @property
    def max_age(self) -> timedelta | None:
        """How long a support answers at most."""
        return None if self.max_age_days is None else timedelta(days=self.max_age_days)

    @property
    def retention(self) -> timedelta | None:
        """How long what is gone can be brought back; None: until it is erased."""
        return None if self.retention_days is None else timedelta(days=self.retention_days)

    def _check(self) -> None:
        # heads are looked up here, not at import: `import imprint` stays light.
        from imprint.heads import HEADS

        rate = self.false_accept_rate
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0.001 <= rate <= 0.5:
            raise InvalidOptionError("policy field false_accept_rate must be within 0.001 .. 0.5")
        if self.screening not in MODES:
            raise InvalidOptionError(f"policy field screening must be one of {', '.join(MODES)}")
        if not isinstance(self.quality, dict):
            raise InvalidOptionError("policy field quality maps names of limits to numbers")
        QualityLimits.of(self.quality)
        if not isinstance(self.mask, tuple) or not all(kind in MASKS for kind in self.mask):
            raise InvalidOptionError(f"policy field mask lists some of {', '.join(MASKS)}")
        self._check_lifetimes()
        if self.head != "auto" and self.head not in HEADS:
            raise InvalidOptionError(
                f"policy field head must be auto or one of {', '.join(sorted(HEADS))}"
            )

    def _check_lifetimes(self) -> None:
        for name, least in _LEAST_DAYS.items():
            days = getattr(self, name)
            if days is None:
                continue
            is_number = isinstance(days, int | float) and not isinstance(days, bool)
            if not is_number or not least <= days <= MOST_DAYS:
                raise InvalidOptionError(
                    f"policy field {name} must be null or within {least:g} .. {MOST_DAYS:,} days"
                )
        if self.eviction not in EVICTIONS:
            raise InvalidOptionError(f"policy field eviction must be one of {', '.join(EVICTIONS)}")


def checked_name(name: str) -> str:
    """Return a collection, tenant or key name that keeps the rule.

    Raises:
        InvalidNameError: it does not.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidNameError(
            "a name is 1 to 64 letters, digits, '.', '_' or '-' and starts with a letter or digit"
        )
    return name


def checked_label(label: str) -> str:
    """Return a label in NFC without outer white space.

    Raises:
        InvalidLabelError: empty, longer than 200 characters, or with characters that labels
            may not hold (they become parts of addresses and file names).
    """
    if not isinstance(label, str):
        raise InvalidLabelError(f"a label is text, got {type(label).__name__}")
    if len(label) > 4 * LABEL_LIMIT:
        raise InvalidLabelError(f"the label has {len(label):,} characters; at most {LABEL_LIMIT}")
    text = unicodedata.normalize("NFC", label).strip()
    if not text:
        raise InvalidLabelError("the label is empty; name the class")
    if len(text) > LABEL_LIMIT:
        raise InvalidLabelError(f"the label has {len(text)} characters; at most {LABEL_LIMIT}")
    if any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in text):
        raise InvalidLabelError("the label holds a line break or control character; remove it")
    if "/" in text or "\\" in text or text in {".", ".."}:
        raise InvalidLabelError("a label may not hold '/' or '\\' or be '.' or '..'; use '-'")
    return text
