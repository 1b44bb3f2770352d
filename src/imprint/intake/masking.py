"""Personal data in text, replaced by what kind it is, before anything is embedded or stored.

Patterns find what has a form: mail addresses, card and account numbers that pass their own check
digits, telephone numbers, addresses on a network. They do not find names or places, and a form that
nobody thought of passes: masking lowers what is kept, it does not make a text anonymous.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from imprint.intake.decode_text import decode_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imprint.types import Sample


_EMAIL = re.compile(r"(?<![\w.+-])[\w.+%-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}\b")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", re.IGNORECASE)
_CARD = re.compile(r"(?<![\d.-])\d(?:[ -]?\d){12,18}(?![\d-])")
_IP = re.compile(
    r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])"
    r"|(?<![\w.:])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])"
)
_PHONE = re.compile(r"(?<![\w.])(?:\+|0|\(\d{1,5}\))[\d()/. -]{5,20}\d(?![\w])")


def mask_text(text: str, kinds: Sequence[str]) -> tuple[str, int]:
    """Replace what is found of these kinds by `[kind]`; returns how many were replaced."""
    n_masked = 0
    for kind, (pattern, holds) in _PATTERNS.items():
        if kind not in kinds:
            continue

        def swapped(found: re.Match[str], kind: str = kind, holds: _Holds = holds) -> str:
            nonlocal n_masked
            if not holds(found[0]):
                return found[0]
            n_masked += 1
            return f"[{kind}]"

        text = pattern.sub(swapped, text)
    return text, n_masked


def masked(
    sample: Sample, kinds: Sequence[str], hook: Callable[[str], tuple[str, int]] | None = None
) -> Sample:
    """A text sample as it may be kept; its note says how many places were masked, not what.

    The raw item is replaced too: of what was masked nothing is left in the sample. Samples of other
    modalities come back as they are.
    """
    if not isinstance(sample.value, str) or not (kinds or hook):
        return sample
    text, n_masked = mask_text(sample.value, kinds)
    if hook is not None:
        text, n_more = hook(text)
        n_masked += n_more
    if text == sample.value:
        return sample
    note = f"personal data masked: {n_masked}"
    return replace(decode_text(text), notes=(*sample.notes, note))


def _luhn(text: str) -> bool:
    digits = [int(one) for one in text if one.isdecimal()]
    doubled = [sum(divmod(2 * one, 10)) for one in digits[-2::-2]]
    return sum(digits[-1::-2]) % 10 == -sum(doubled) % 10 and len(set(digits)) > 1


def _mod_97(text: str) -> bool:
    """Whether an account number's check digits are right (ISO 13616)."""
    plain = text.replace(" ", "").upper()
    if not 15 <= len(plain) <= 34 or not plain.isascii():
        return False
    return int("".join(str(int(one, 36)) for one in plain[4:] + plain[:4])) % 97 == 1


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_phone(text: str) -> bool:
    return 7 <= sum(one.isdecimal() for one in text) <= 15


def _always(_: str) -> bool:
    return True


if TYPE_CHECKING:
    _Holds = Callable[[str], bool]

# Those with check digits go first: a telephone number is whatever they left.
_PATTERNS: dict[str, tuple[re.Pattern[str], Callable[[str], bool]]] = {
    "email": (_EMAIL, _always),
    "iban": (_IBAN, _mod_97),
    "card": (_CARD, _luhn),
    "ip": (_IP, _is_address),
    "phone": (_PHONE, _is_phone),
}
MASKS = tuple(_PATTERNS)
