"""Limits of a tenant: shown with what it holds, set, taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from imprint.cli.browse import columns
from imprint.cli.session import verb
from imprint.errors import InvalidOptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.cli.session import Session


@verb("quota")
@click.argument("tenant")
@click.option("--set", "given", multiple=True, metavar="NAME=AMOUNT", help="Such as supports=100k.")
@click.option("--clear", multiple=True, metavar="NAME", help="Back to the default, if any.")
def quota_of_tenant(
    session: Session, *, tenant: str, given: tuple[str, ...], clear: tuple[str, ...]
) -> None:
    r"""Show what a tenant holds and its limits; set them with --set.

    Limits are supports, classes, bytes, requests_per_minute and requests_per_day. They hold for
    every server of the workspace within a second. What is there already stays.

    \b
    Example:
      imprint tenant quota acme --set supports=100k --set requests_per_minute=600
    """
    with session.workspace(create=bool(given)) as workspace:
        changes = _changes(given, clear)
        if changes:
            now = workspace.clock()
            workspace.quotas.change(tenant, changes, now=now, actor="cli")
        limits = workspace.quotas.limits(tenant)
        used = workspace.quotas.usage(tenant)._asdict()
    names = dict.fromkeys([*used, *limits])
    rows = [[name, _amount(used.get(name)), _amount(limits.get(name))] for name in names]
    document = {"tenant": tenant, "used": used, "limits": limits}
    session.show(document, columns(rows, ["", "holds", "limit"]))


def _changes(given: Sequence[str], clear: Sequence[str]) -> dict[str, int | None]:
    from imprint.store.quota.limits import QUOTAS, read_limits

    unknown = sorted(set(clear) - set(QUOTAS))
    if unknown:
        raise InvalidOptionError(f"there is no limit {unknown[0]!r}; known are {', '.join(QUOTAS)}")
    return {**dict.fromkeys(clear), **read_limits(" ".join(given))}


def _amount(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"
