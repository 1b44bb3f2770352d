"""Keys of the server: create, list, rotate, revoke."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from imprint.cli.browse import columns
from imprint.cli.custody.keys import master_verb
from imprint.cli.session import verb, verbs
from imprint.errors import InvalidOptionError

if TYPE_CHECKING:
    from imprint.cli.session import Session
    from imprint.store.ports import KeyRow

# As in serve.auth; a test holds them together.
SCOPES = ("teach", "classify", "read_raw", "review", "admin")
DEFAULT_SCOPES = ("teach", "classify")

_UNITS_S = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST_S = 100 * 365 * 86_400


@verbs("keys")
def keys_verb() -> None:
    r"""Create, list, rotate and revoke the API keys of the server.

    \b
    Example:
      imprint keys create laptop --expires 30d
    """


@verb("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    help="What the key may do; may be given several times. Without: teach and classify.",
)
@click.option("--tenant", default="default", show_default=True, help="Whose collections it opens.")
@click.option(
    "--expires",
    metavar="TIME",
    help="After how long (90m, 12h, 30d, 8w), or a date; never without.",
)
@click.option("--days", type=click.IntRange(1, 36_500), hidden=True)
def create_key(
    session: Session,
    *,
    name: str,
    scopes: tuple[str, ...],
    tenant: str,
    expires: str | None,
    days: int | None,
) -> None:
    r"""Create a key. Its secret is shown this once; only its hash is stored.

    \b
    Example:
      imprint keys create laptop --scope classify --expires 30d
    """
    chosen = scopes or DEFAULT_SCOPES
    with session.workspace() as workspace:
        until = moment(expires or (f"{days}d" if days else None), workspace.clock())
        made = workspace.create_key(name, chosen, tenant=tenant, expires_at=until)
    _show_secret(session, *made)


@verb("list")
@click.option("--tenant", help="Only this tenant's.")
def list_keys(session: Session, *, tenant: str | None) -> None:
    r"""List keys without their secrets, newest first.

    \b
    Example:
      imprint keys list
    """
    with session.workspace(create=False) as workspace:
        rows, now = workspace.keys(tenant=tenant), workspace.clock()
    shown = [
        [
            key.key_id,
            key.name,
            key.tenant,
            ",".join(key.scopes),
            state_of(key, now),
            f"{key.expires_at:%Y-%m-%d %H:%M}" if key.expires_at else "never",
        ]
        for key in rows
    ]
    head = ["key", "name", "tenant", "scopes", "state", "expires (UTC)"]
    listed = [{**asdict(key), "state": state_of(key, now)} for key in rows]
    session.show({"keys": listed}, columns(shown, head) if rows else "no keys yet")


@verb("rotate")
@click.argument("key_id")
@click.option(
    "--overlap", metavar="TIME", default="1h", show_default=True, help="How long the old one works."
)
def rotate_key(session: Session, *, key_id: str, overlap: str) -> None:
    r"""Make a key like this one; the old one expires after the overlap.

    \b
    Example:
      imprint keys rotate 0123456789ab --overlap 1d
    """
    with session.workspace(create=False) as workspace:
        made = workspace.rotate_key(key_id, overlap=span(overlap))
    _show_secret(session, *made)


@verb("revoke")
@click.argument("key_id")
def revoke_key(session: Session, *, key_id: str) -> None:
    r"""Make a key invalid from now on.

    \b
    Example:
      imprint keys revoke 0123456789ab
    """
    with session.workspace(create=False) as workspace:
        workspace.revoke_key(key_id)
    session.show({"revoked": key_id}, f"revoked {key_id}")


def _show_secret(session: Session, row: KeyRow, secret: str) -> None:
    session.note("This is the only time the secret is shown. Keep it like a password.")
    document: dict[str, Any] = {**asdict(row), "secret": secret}
    session.show(document, secret)


def state_of(key: KeyRow, now: datetime) -> str:
    """Say in one word whether a key still works."""
    if key.revoked_at is not None:
        return "revoked"
    return "valid" if key.is_valid(now) else "expired"


def span(text: str) -> timedelta:
    """Read a length of time such as 90m, 12h, 30d or 8w; 0m is none.

    Raises:
        InvalidOptionError: it is none of these, or longer than a hundred years.
    """
    found = re.fullmatch(r"(\d{1,9})([mhdw])", text.strip())
    length_s = int(found[1]) * _UNITS_S[found[2]] if found else _LONGEST_S + 1
    if length_s > _LONGEST_S:
        raise InvalidOptionError("give a length of time such as 90m, 12h, 30d or 8w")
    return timedelta(seconds=length_s)


def moment(text: str | None, now: datetime) -> datetime | None:
    """Read when something ends: a length of time from now, or a date in UTC; None is never.

    Raises:
        InvalidOptionError: it is neither, or in the past.
    """
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        at = now + span(text)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    if at <= now:
        raise InvalidOptionError("the time it ends must be in the future")
    return at


for _command in (create_key, list_keys, rotate_key, revoke_key, master_verb):
    keys_verb.add_command(_command)
