"""A collection: a named set of classes of one modality, taught by examples."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from imprint.errors import (
    ImprintError,
    InvalidOptionError,
    LabelNotFoundError,
    ModalityMismatchError,
    SequenceNotReachedError,
)
from imprint.flows.answering.decoding import sample_of
from imprint.flows.answering.encoding import embed
from imprint.flows.answering.expiry import checked_expiry
from imprint.flows.answering.recognizer import verification
from imprint.flows.bundle import write_bundle
from imprint.flows.classify import classify_samples, classify_sources, logged_answer, replayed
from imprint.flows.judging.advise import advise
from imprint.flows.judging.report import report_on
from imprint.flows.judging.staleness import staleness_of
from imprint.flows.policy import Policy, checked_label
from imprint.flows.teach import teach_batch, teach_one
from imprint.flows.teaching.feedback import feed_back, live_accuracy
from imprint.flows.teaching.generated import Extended
from imprint.flows.teaching.lessons import label_or_none, lesson_of, lessons_of
from imprint.flows.teaching.preview import preview
from imprint.flows.teaching.reverting import revert
from imprint.flows.teaching.review import held, reject, relabel, set_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from imprint.encoders.protocol import Encoder
    from imprint.flows.answering.live import LiveCollection
    from imprint.flows.judging.advise import Suggestion
    from imprint.flows.judging.report import Report
    from imprint.flows.teaching.feedback import Correction
    from imprint.flows.teaching.preview import Preview
    from imprint.flows.teaching.reverting import Reverted
    from imprint.flows.teaching.review import Held
    from imprint.flows.workspace import Workspace
    from imprint.store.ports import CollectionRow
    from imprint.types import (
        Answer,
        Modality,
        RawItem,
        Receipt,
        Sample,
        Support,
        SupportState,
        Verification,
    )

# A source is a path, bytes, a str of text (text collections), a PIL image or a numpy array.
Source = Any


class Collection(Extended):
    """Classes taught from examples. Get one from `Workspace.collection`; safe to share by threads.

    Every method sees what any thread or process wrote before it was called.
    """

    def __init__(self, workspace: Workspace, live: LiveCollection) -> None:
        self._workspace = workspace
        self._live = live

    def __repr__(self) -> str:
        return f"Collection({self.name!r}, modality={self.modality!r})"

    @property
    def name(self) -> str:
        """Name within its workspace and tenant."""
        return self._live.row.name

    @property
    def modality(self) -> Modality:
        """The one kind of sample it holds: "image", "text" or "audio"."""
        return self._live.row.modality

    @property
    def encoder_version(self) -> str:
        """Version of the encoder every support here was embedded by."""
        return self._live.row.encoder_version

    @property
    def policy(self) -> Policy:
        """The owner's choices: false-accept rate, head, retention."""
        return self._live.policy

    @property
    def sequence(self) -> int:
        """Number of writes so far; a Receipt's `sequence` is never above it."""
        return self._live.tenant.sequence(self._live.row.collection_id)

    def teach(
        self,
        label: str | None,
        source: Source,
        *,
        metadata: dict[str, Any] | None = None,
        origin: str = "library",
        idempotency_key: str | None = None,
        media_type: str | None = None,
        expires_at: datetime | None = None,
    ) -> Receipt:
        """Teach one example of a class; the class is made by its first example.

        A label of None teaches a negative, "not this one": queries nearer to it than to any
        support of a class are answered "unknown". It is no evidence and no candidate.

        When the receipt is returned the support is durable and, unless a check held it for review
        (its `state` says so), the next `classify` can answer with it. Teaching the very same sample
        again under the same label changes nothing and returns the same support.

        From `expires_at` on the support answers no more; a collection's `max_age_days` can end it
        sooner.

        Raises:
            InvalidInputError: the label or the source is refused; `checks` says what was measured.
            LabelConflictError: the same sample is taught under another label.
            StorageFullError, ReadOnlyError: nothing was written.
        """
        lesson = lesson_of(
            self._live, label, source, metadata=metadata, origin=origin, media_type=media_type
        )
        if expires_at is not None:
            until = checked_expiry(expires_at, self._workspace.clock())
            lesson = replace(lesson, expires_at=until)
        return teach_one(self._live, lesson, self._workspace.act(), idempotency_key)

    def teach_many(
        self,
        pairs: Iterable[tuple[str | None, Source]],
        *,
        batch: int = 256,
        origin: str = "library",
    ) -> Iterator[Receipt | ImprintError]:
        """Teach many (label, source) pairs; yields an outcome for each, in order.

        Pairs are taken in batches: each batch is embedded together and stored in one commit, so
        an outcome is yielded only once its support is durable. A refused pair yields its error
        and the rest goes on; running the same pairs again repeats nothing.
        """
        if not 1 <= batch <= 10_000:
            raise InvalidOptionError(f"batch must be within 1 .. 10,000, got {batch}")
        remaining = iter(pairs)
        while taken := list(islice(remaining, batch)):
            yield from self._teach_taken(taken, origin)

    def classify(
        self,
        source: Source,
        *,
        top_k: int = 5,
        min_sequence: int | None = None,
        media_type: str | None = None,
    ) -> Answer:
        """Answer one query: a class, "ambiguous" or "unknown", with evidence.

        Raises:
            InvalidInputError: the source is refused.
            SequenceNotReachedError: `min_sequence` is beyond what is written here.
        """
        self._reached(min_sequence)
        samples = [self._sample(source, media_type)]
        return classify_samples(self._workspace, self._live, samples, top_k)[0]

    def classify_many(
        self,
        sources: Iterable[Source],
        *,
        top_k: int = 5,
        min_sequence: int | None = None,
        transductive: bool = False,
    ) -> list[Answer | ImprintError]:
        """Answer many queries; an Answer, or the error of its source, for each, in order.

        With `transductive`, queries of this call inform each other (up to 1,024 in a row), and
        answers say so: right more often on many queries of few supports, but an answer then
        depends on what else was asked.
        """
        self._reached(min_sequence)
        return classify_sources(
            self._workspace, self._live, sources, top_k, transductive=transductive
        )

    def verify(self, label: str, source: Source, *, media_type: str | None = None) -> Verification:
        """Answer whether one query is of the named class, at the stated false-accept rate.

        Raises:
            LabelNotFoundError: there is no such class.
        """
        named = checked_label(label)
        (embedding,) = embed(self._encoder(), [self._sample(source, media_type)])
        return verification(
            self._live.current(),
            embedding,
            named,
            encoder_version=self.encoder_version,
            false_accept_rate=self.policy.false_accept_rate,
        )

    def forget(
        self, label: str | None = None, *, support_id: str | None = None, erase: bool = False
    ) -> int:
        """Remove a class or one support; the next answer does without. Returns how many supports.

        What is removed stays in the store's history so that earlier answers can be replayed,
        unless `erase` destroys its embedding and raw bytes too.

        Raises:
            LabelNotFoundError, SupportNotFoundError: nothing was removed.
        """
        if (label is None) == (support_id is None):
            raise InvalidOptionError("forget takes either label= or support_id=")
        live = self._live
        chosen = [support_id] if support_id is not None else self._of_label(str(label))
        detail = {"n_supports": len(chosen), "erase": erase}
        with self._workspace.writing("forget", self.name, detail) as transaction:
            transaction.remove_supports(live.row.collection_id, chosen, erase=erase)
        return len(chosen)

    def labels(self) -> dict[str, int]:
        """Classes and how many active supports each has, in order of first teaching."""
        counts: dict[str, int] = {}
        for label in self._live.level().decider.row_labels:
            if label is not None:
                counts[label] = counts.get(label, 0) + 1
        return counts

    def supports(
        self,
        *,
        label: str | None = None,
        state: SupportState | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> list[Support]:
        """A page of supports in teaching order, after the support_id `after`."""
        if not 1 <= limit <= 1000:
            raise InvalidOptionError(f"limit must be within 1 .. 1,000, got {limit}")
        return self._live.tenant.supports(
            self._live.row.collection_id, label=label, state=state, limit=limit, after=after
        )

    def support(self, support_id: str) -> Support:
        """One support with its provenance. Raises SupportNotFoundError."""
        return self._live.tenant.support(self._live.row.collection_id, support_id)

    def raw(self, support_id: str) -> RawItem | None:
        """Raw bytes of a support; None when only embeddings are kept. The read is audited."""
        live = self._live
        self.support(support_id)
        with self._workspace.writing("read_raw", self.name, {"support_id": support_id}):
            return live.tenant.raw(live.row.collection_id, support_id)

    def set_policy(self, policy: Policy | dict[str, Any]) -> Policy:
        """Replace the owner's choices; thresholds follow at the next answer."""
        chosen = Policy.of(policy)
        with self._workspace.writing("set_policy", self.name, chosen.to_json()) as transaction:
            transaction.update_policy(self._live.row.collection_id, chosen.to_json())
        return chosen

    def feedback(self, answer_id: str, label: str | None, *, teach: bool = False) -> Correction:
        """Store what the right answer would have been; None says "none of these".

        The result names the support that caused a mistake. With `teach` the query becomes a
        support of its right class (None: a negative) after the same screening as any other.

        Raises:
            AnswerNotFoundError: no such answer is on record.
        """
        return feed_back(self._workspace, self._live, answer_id, label_or_none(label), teach=teach)

    def validate(
        self, label: str | None, source: Source, *, media_type: str | None = None
    ) -> Preview:
        """Tell what teaching this would lead to, for other classes as well. Stores nothing."""
        return preview(self._live, label, source, media_type)

    def quarantine(self) -> list[Held]:
        """Supports that await review, each with the checks that hold it."""
        return held(self._live)

    def release(self, support_id: str) -> Receipt:
        """Let a held support answer from now on."""
        return set_state(self._workspace, self._live, support_id, "active")

    def hold(self, support_id: str) -> Receipt:
        """Hold an active support for review: it answers no more until it is released."""
        return set_state(self._workspace, self._live, support_id, "quarantined")

    def relabel(self, support_id: str, label: str | None) -> Receipt:
        """Give a support its right label (None: a negative); it answers from now on."""
        return relabel(self._workspace, self._live, support_id, label)

    def reject(self, support_id: str, *, erase: bool = False) -> Support:
        """Remove a support that was reviewed; `revert` can bring it back unless it is erased."""
        return reject(self._workspace, self._live, support_id, erase=erase)

    def revert(self, sequence: int, *, label: str | None = None) -> Reverted:
        """Make the collection, or one class, what it was right after write `sequence`."""
        return revert(self._workspace, self._live, sequence, label)

    def replay(self, answer_id: str) -> Answer:
        """Answer a logged query again from the supports and thresholds of that moment.

        Raises:
            AnswerNotFoundError: no such answer is on record.
        """
        return replayed(self._live, logged_answer(self._workspace, self._live, answer_id))

    def report(self) -> Report:
        """Judge the collection from its supports: expected accuracy, confusions, what to teach."""
        snapshot = self._live.current()
        rate = self.policy.false_accept_rate
        report = report_on(self.name, self.encoder_version, snapshot, rate)
        age = staleness_of(self._live, self._workspace.clock())
        return replace(report, live=live_accuracy(self._live), staleness=age)

    def advise(self, unlabeled: Iterable[Source], n: int = 10) -> list[Suggestion]:
        """Choose which of these unlabeled sources to label next, best first, with reasons.

        Sources that cannot be read or are taught already are passed over.
        """
        return advise(self._workspace, self._live, unlabeled, n)

    def export(self, path: str | Path) -> Path:
        """Write a bundle file that `imprint.load` opens read-only. It holds no raw samples.

        Thresholds and weights are fitted to the supports of this moment first, so that the bundle
        and the collection answer alike.
        """
        return write_bundle(path, self._live.row, self.policy, self._live.refitted())

    def describe(self) -> dict[str, Any]:
        """Facts of this collection as a JSON object."""
        labels = self.labels()
        row = self._live.row
        age = staleness_of(self._live, self._workspace.clock())
        return {
            "name": self.name,
            "modality": self.modality,
            "encoder": row.encoder_name,
            "encoder_version": self.encoder_version,
            "dim": row.dim,
            "policy": self.policy.to_json(),
            "sequence": self.sequence,
            "n_labels": len(labels),
            "n_supports": sum(labels.values()),
            "created_at": row.created_at.isoformat(),
            "staleness": None if age is None else age.to_json(),
        }

    def mask_with(self, hook: Callable[[str], tuple[str, int]] | None) -> None:
        """Mask texts by a rule of yours, after the policy's own `mask`, in this process.

        `hook` takes a text and returns the text to keep and how many places it replaced; None
        takes the rule away. It holds for teaching and for queries alike.
        """
        self._live.mask_hook = hook

    def settle(self) -> None:
        """Wait for calibration under way and save it. `Workspace.close` does this for you."""
        act = self._workspace.act()
        self._live.settle(act.now, act.actor)

    def _teach_taken(
        self, taken: list[tuple[str | None, Source]], origin: str
    ) -> list[Receipt | ImprintError]:
        made = lessons_of(self._live, taken, origin)
        lessons = [one for one in made if not isinstance(one, ImprintError)]
        taught = iter(teach_batch(self._live, lessons, self._workspace.act()))
        return [one if isinstance(one, ImprintError) else next(taught) for one in made]

    def _sample(self, source: Source, media_type: str | None = None) -> Sample:
        return sample_of(self._live, source, media_type)

    def _encoder(self) -> Encoder:
        return self._workspace.shelf.versioned(self.encoder_version)

    def _of_label(self, label: str) -> list[str]:
        named = checked_label(label)
        live = self._live
        found: list[str] = []
        after: str | None = None
        while page := live.tenant.supports(
            live.row.collection_id, label=named, limit=1000, after=after
        ):
            found.extend(support.support_id for support in page)
            after = found[-1]
        if not found:
            raise LabelNotFoundError("there is no such class in this collection; see its labels")
        return found

    def _reached(self, min_sequence: int | None) -> None:
        if min_sequence is not None and self.sequence < min_sequence:
            raise SequenceNotReachedError(
                f"sequence {min_sequence} is not written here yet (at {self.sequence}); try again"
            )


def checked_modality(row: CollectionRow, modality: str | None) -> None:
    """Refuse to open a collection as another modality than its own."""
    if modality is not None and row.modality != modality:
        raise ModalityMismatchError(
            f"the collection holds {row.modality}, it cannot be opened for {modality}"
        )
