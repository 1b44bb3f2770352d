"""Verbs of review: quarantine, revert, validate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from imprint.cli.session import EPILOG, verb, verbs
from imprint.cli.sources import SOURCE_HELP, read_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from imprint import Receipt
    from imprint.cli.session import Session
    from imprint.types import Check


@verbs("quarantine")
def quarantine_verb() -> None:
    r"""Look at what is held for review, and decide about it.

    \b
    Example:
      imprint quarantine list tickets
      imprint quarantine release tickets s_0123456789abcdef0123
    """


def _action(name: str) -> Callable[[Callable[..., Any]], click.Command]:
    def made(function: Callable[..., Any]) -> click.Command:
        command = verb(name)(function)
        quarantine_verb.add_command(command)
        return command

    return made


@_action("list")
@click.argument("collection")
def list_verb(session: Session, *, collection: str) -> None:
    r"""List what is held, with the first reason of each.

    \b
    Example:
      imprint quarantine list tickets --json
    """
    with session.workspace(create=False) as workspace:
        found = workspace.collection(collection).quarantine()
    lines = [
        f"{one.support.support_id}  {one.support.label or 'not this one'}  "
        f"{'; '.join(_reasons(one.checks)[:1]) or 'held by hand'}"
        for one in found
    ]
    session.show({"held": found}, "\n".join(lines) or "nothing is held")


@_action("show")
@click.argument("collection")
@click.argument("support_id")
def show_verb(session: Session, *, collection: str, support_id: str) -> None:
    r"""Show a support, and every check that holds it.

    \b
    Example:
      imprint quarantine show tickets s_0123456789abcdef0123
    """
    from imprint.flows.teaching.review import reasons_of

    with session.workspace(create=False) as workspace:
        support = workspace.collection(collection).support(support_id)
    checks = reasons_of(support)
    lines = [
        f"{support.support_id}  {support.label or 'not this one'}  {support.state}",
        f"  taught    {support.taught_at:%Y-%m-%d %H:%M} by {support.taught_by}",
        *(f"  because   {reason}" for reason in _reasons(checks)),
    ]
    session.show({"support": support, "checks": checks}, "\n".join(lines))


@_action("release")
@click.argument("collection")
@click.argument("support_id")
def release_verb(session: Session, *, collection: str, support_id: str) -> None:
    r"""Let a held support answer from now on.

    \b
    Example:
      imprint quarantine release tickets s_0123456789abcdef0123
    """
    with session.workspace(create=False) as workspace:
        receipt = workspace.collection(collection).release(support_id)
    session.show(receipt, _said("released", receipt))


@_action("hold")
@click.argument("collection")
@click.argument("support_id")
def hold_verb(session: Session, *, collection: str, support_id: str) -> None:
    r"""Hold an active support for review: it answers no more until it is released.

    \b
    Example:
      imprint quarantine hold tickets s_0123456789abcdef0123
    """
    with session.workspace(create=False) as workspace:
        receipt = workspace.collection(collection).hold(support_id)
    session.show(receipt, _said("held", receipt))


@_action("relabel")
@click.argument("collection")
@click.argument("support_id")
@click.argument("label")
def relabel_verb(session: Session, *, collection: str, support_id: str, label: str) -> None:
    r"""Give a support its right label; it answers from now on.

    \b
    Example:
      imprint quarantine relabel tickets s_0123456789abcdef0123 delivery
    """
    with session.workspace(create=False) as workspace:
        receipt = workspace.collection(collection).relabel(support_id, label)
    session.show(receipt, _said("relabeled", receipt))


@_action("reject")
@click.argument("collection")
@click.argument("support_id")
@click.option("--erase", is_flag=True, help="Destroy the embedding and the raw bytes too.")
def reject_verb(session: Session, *, collection: str, support_id: str, erase: bool) -> None:
    r"""Remove a support; `imprint revert` can bring it back unless it is erased.

    \b
    Example:
      imprint quarantine reject tickets s_0123456789abcdef0123
    """
    with session.workspace(create=False) as workspace:
        support = workspace.collection(collection).reject(support_id, erase=erase)
    session.show({"removed": 1, "support_id": support_id}, f"rejected {support.support_id}")


@verb("revert")
@click.argument("collection")
@click.argument("sequence", type=int)
@click.option("--label", help="Only this class; everything without it.")
def revert_verb(session: Session, *, collection: str, sequence: int, label: str | None) -> None:
    r"""Make a collection, or one class, what it was right after an earlier write.

    Every receipt names its write (`sequence`). Going back is a write of its own: reverting to the
    sequence before it undoes it.

    \b
    Example:
      imprint revert tickets 41 --label refund
    """
    with session.workspace(create=False) as workspace:
        done = workspace.collection(collection).revert(sequence, label=label)
    session.show(
        done,
        f"{collection} is as it was after write {done.to_sequence}: {done.n_restored} supports "
        f"brought back, {done.n_removed} removed, {done.n_changed} changed (write {done.sequence})",
    )


@verb("validate", epilog=f"{SOURCE_HELP} Exits 0 whatever the verdict. {EPILOG}")
@click.argument("collection")
@click.argument("label")
@click.argument("source")
@click.option("--text", "as_text", is_flag=True, help="SOURCE is the text itself.")
def validate_verb(
    session: Session, *, collection: str, label: str, source: str, as_text: bool
) -> None:
    r"""Tell what teaching an example would lead to, for other classes too. Stores nothing.

    \b
    Example:
      imprint validate tickets refund "I want my money back"
    """
    given = read_source(source, as_text=as_text)
    with session.workspace(create=False) as workspace:
        seen = workspace.collection(collection).validate(label, given)
    lines = [f"would be {seen.state}"]
    lines += [f"  because   {reason}" for reason in _reasons(seen.checks)]
    lines += [f"  {e.label} would lose {e.n_lost} of {e.n_asked} samples" for e in seen.effects]
    session.show(seen, "\n".join(lines))


def _reasons(checks: Iterable[Check]) -> list[str]:
    return [
        f"{check.name} {check.score:.3g} (limit {check.limit:.3g}): {check.hint}"
        for check in checks
        if check.verdict != "pass"
    ]


def _said(verdict: str, receipt: Receipt) -> str:
    return f"{verdict}  {receipt.support_id}  {receipt.label or 'not this one'}"
