"""Verbs of the main job: teach, classify, verify, forget, feedback."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from imprint.cli.access.keys import moment
from imprint.cli.session import EPILOG, MODALITY_NAMES, OK, exit_code_of, shaped_error, verb
from imprint.cli.sources import SOURCE_HELP, guess_modality, read_source
from imprint.errors import ImprintError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imprint import Answer, Collection, Receipt, Workspace
    from imprint.cli.session import Session
    from imprint.flows.teaching.feedback import Correction

as_text = click.option("--text", "as_text", is_flag=True, help="SOURCE is the text itself.")


@verb("teach", epilog=f"{SOURCE_HELP} {EPILOG}")
@click.argument("collection")
@click.argument("label")
@click.argument("source", required=False)
@as_text
@click.option(
    "--negative", is_flag=True, help='Teach "not this one": give SOURCE alone, without a label.'
)
@click.option(
    "--modality",
    type=click.Choice(MODALITY_NAMES),
    help="Modality of a new collection; guessed from the content without it.",
)
@click.option("--encoder", metavar="NAME", help="Encoder of a new collection.")
@click.option(
    "--expires",
    metavar="TIME",
    help="After how long (90m, 12h, 30d, 8w), or at which date, it answers no more.",
)
def teach_verb(  # noqa: PLR0913 - one flag of the command line each
    session: Session,
    *,
    collection: str,
    label: str | None,
    source: str | None,
    as_text: bool,
    negative: bool,
    modality: Any,
    encoder: str | None,
    expires: str | None,
) -> None:
    r"""Teach a class from one example; the collection is created by the first.

    \b
    Example:
      imprint teach pets biscuit biscuit.jpg
      imprint teach tickets refund "I want my money back"
      imprint teach tickets --negative "Do you sell gift cards?"
    """
    if negative == (source is not None):
        raise click.UsageError("give LABEL and SOURCE, or --negative and SOURCE alone")
    label, word = (None, str(label)) if source is None else (label, source)
    given = read_source(word, as_text=as_text)
    with (
        session.workspace() as workspace,
        taught_collection(workspace, collection, modality, encoder, given) as opened,
    ):
        until = moment(expires, workspace.clock())
        receipt = opened.teach(label, given, origin="cli", expires_at=until)
    session.show(receipt, _receipt_text(collection, receipt))


@contextmanager
def taught_collection(
    workspace: Workspace, name: str, modality: Any, encoder: str | None, source: Any
) -> Iterator[Collection]:
    """Open a collection to teach it, creating it when missing.

    One that was created for an example that is then refused is removed again: a failed command
    leaves the workspace as it was.
    """
    is_new = name not in workspace.collections()
    if is_new and modality is None:
        modality = guess_modality(source)
    opened = workspace.collection(name, modality, encoder)
    try:
        yield opened
    except ImprintError:
        if is_new and not opened.labels():
            workspace.drop(name)
        raise


@verb(
    "classify",
    epilog=f"{SOURCE_HELP} Several sources are answered in order; with --json as "
    f'{{"answers": […]}}. {EPILOG} "unknown" and "ambiguous" are answers: they exit 0.',
)
@click.argument("collection")
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@as_text
@click.option("--top-k", default=5, show_default=True, help="How many candidates to list.")
@click.option("--transductive", is_flag=True, help="Several sources inform each other.")
def classify_verb(
    session: Session,
    *,
    collection: str,
    sources: tuple[str, ...],
    as_text: bool,
    top_k: int,
    transductive: bool,
) -> int:
    r"""Say which taught class a source belongs to, or that it belongs to none.

    \b
    Example:
      imprint classify pets garden.jpg --json
      echo "where is my parcel" | imprint classify tickets -
    """
    given = [read_source(word, as_text=as_text) for word in sources]
    with session.workspace(create=False) as workspace:
        opened = workspace.collection(collection)
        if len(given) == 1:
            answer = opened.classify(given[0], top_k=top_k)
            session.show(answer, answer_text(answer))
            return OK
        answers = opened.classify_many(given, top_k=top_k, transductive=transductive)
    return _many(session, sources, answers)


def _many(session: Session, words: tuple[str, ...], answers: list[Any]) -> int:
    shaped = [shaped_error(a) if isinstance(a, ImprintError) else a.to_json() for a in answers]
    texts = [
        f"{word}\n  error: {answer}"
        if isinstance(answer, ImprintError)
        else f"{word}\n{answer_text(answer)}"
        for word, answer in zip(words, answers, strict=True)
    ]
    session.show({"answers": shaped}, "\n\n".join(texts))
    return next((exit_code_of(a) for a in answers if isinstance(a, ImprintError)), OK)


@verb("verify", epilog=f"{SOURCE_HELP} {EPILOG} A source that is not accepted exits 0 too.")
@click.argument("collection")
@click.argument("label")
@click.argument("source")
@as_text
def verify_verb(
    session: Session,
    *,
    collection: str,
    label: str,
    source: str,
    as_text: bool,
) -> None:
    r"""Check one source against one class (1:1).

    \b
    Example:
      imprint verify pets biscuit garden.jpg
    """
    given = read_source(source, as_text=as_text)
    with session.workspace(create=False) as workspace:
        found = workspace.collection(collection).verify(label, given)
    word = "accepted" if found.accepted else "not accepted"
    session.show(
        found,
        f"{_styled(word, found.accepted)}  as {label}, confidence {found.confidence:.2f} "
        f"(threshold {found.threshold:.2f}, set for {found.false_accept_rate:.1%} false accepts)",
    )


@verb("forget")
@click.argument("collection")
@click.option("--label", help="Forget this class with all its supports.")
@click.option("--support", "support_id", metavar="ID", help="Forget one support.")
@click.option("--erase", is_flag=True, help="Destroy the embedding and the raw bytes too.")
def forget_verb(
    session: Session,
    *,
    collection: str,
    label: str | None,
    support_id: str | None,
    erase: bool,
) -> None:
    r"""Remove a class or a single support; the next answer does without it.

    \b
    Example:
      imprint forget pets --label biscuit
    """
    if (label is None) == (support_id is None):
        raise click.UsageError("give either --label or --support")
    with session.workspace(create=False) as workspace:
        n_removed = workspace.collection(collection).forget(
            label=label, support_id=support_id, erase=erase
        )
    noun = "support" if n_removed == 1 else "supports"
    session.show({"removed": n_removed}, f"forgot {n_removed} {noun} of {collection}")


@verb("feedback")
@click.argument("collection")
@click.argument("answer_id")
@click.option("--label", help="The class that would have been right.")
@click.option("--none", "is_none", is_flag=True, help="None of the taught classes was right.")
@click.option("--teach", is_flag=True, help="Teach the query under that class, too.")
def feedback_verb(
    session: Session,
    *,
    collection: str,
    answer_id: str,
    label: str | None,
    is_none: bool,
    teach: bool,
) -> None:
    r"""Store what an answer should have been; its id is in the answer.

    \b
    Example:
      imprint feedback pets a_0123456789abcdef --label biscuit
    """
    if (label is None) != is_none:
        raise click.UsageError("give either --label or --none")
    with session.workspace(create=False) as workspace:
        done = workspace.collection(collection).feedback(answer_id, label, teach=teach)
    session.show(done, _thanks(collection, done))


def _thanks(collection: str, done: Correction) -> str:
    lines = ["stored; thank you"]
    if done.misled_by is not None:
        support_id, label, similarity = done.misled_by
        lines.append(f"  misled by {label}  {similarity:.2f}  {support_id}")
    if done.receipt is not None:
        lines.append(_receipt_text(collection, done.receipt))
    return "\n".join(lines)


def _receipt_text(collection: str, receipt: Receipt) -> str:
    verdict = "learnt" if receipt.state == "active" else "held for review"
    styled = _styled(verdict, receipt.state == "active")
    lines = [f"{styled}  {receipt.label or 'not this one'}  in {collection}"]
    lines.append(f"  support   {receipt.support_id}")
    lines += [f"  note      {c.hint}" for c in receipt.checks if c.hint]
    lines += [f"  near      {e.label}  {e.similarity:.2f}" for e in receipt.nearest[:1]]
    return "\n".join(lines)


def answer_text(answer: Answer) -> str:
    """Shape an answer for a person: the decision first, then why."""
    known = answer.label is not None
    said = "nothing is taught here yet"
    if known:
        said = f"recognized, confidence {answer.confidence:.2f}"
    elif answer.candidates:
        said = f"best guess {answer.candidates[0].label}, confidence {answer.confidence:.2f}"
    lines = [f"{_styled(answer.label or answer.decision, known)}  {said}"]
    for i, candidate in enumerate(answer.candidates):
        title = "could be" if i == 0 else ""
        lines.append(
            f"  {title:9} {candidate.label}  {candidate.confidence:.2f}"
            f"  (similarity {candidate.similarity:.2f})"
        )
    for i, near in enumerate(answer.evidence[:3]):
        title = "nearest" if i == 0 else ""
        lines.append(f"  {title:9} {near.label}  {near.similarity:.2f}  {near.support_id}")
    lines += [f"  note      {note}" for note in answer.notes]
    if answer.transductive:
        lines.append("  note      informed by the other sources of this call")
    lines.append(f"  answer    {answer.id}")
    return "\n".join(lines)


def _styled(word: str, good: bool) -> str:  # noqa: FBT001 - reads well where it is used
    return click.style(word, fg="green" if good else "yellow", bold=True)
