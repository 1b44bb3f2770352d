"""Telling a scene in plain text, before and after it is played."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imprint.recipes.demo.scenes import Scene
    from imprint.recipes.demo.story import Exchange, Told


def opening(scene: Scene) -> str:
    """Say what is about to happen."""
    n_unknown = sum(query.label is None for query in scene.queries)
    return (
        f"\n{scene.title}: {scene.about}.\n"
        f"  {len(scene.examples)} classes are taught, one example each. Then {len(scene.queries)} "
        f"queries are asked, {n_unknown} of which belong to no class.\n"
        f"  It is set to name a class for at most {percent(scene.false_accept_rate)} of queries "
        "that have none."
    )


def account(told: Told) -> str:
    """Say what happened: figures, answers with their reasons, a mistake, a class forgotten."""
    return "\n".join([*_figures(told), *_answers(told), *_failure(told), *_forgetting(told)])


def percent(ratio: float) -> str:
    """Shape a ratio for people."""
    return f"{100 * ratio:.0f} %"


def _figures(told: Told) -> Iterator[str]:
    n_right, n_known = sum(e.is_right for e in told.known), len(told.known)
    n_refused, n_unknown = sum(e.is_right for e in told.unknown), len(told.unknown)
    figures = (
        ("known queries recognized", told.accuracy_ratio, f"({n_right} of {n_known})"),
        ("… best candidate was right", told.best_guess_ratio, "(counting refused ones)"),
        ("unknown queries refused", told.refused_ratio, f"({n_refused} of {n_unknown})"),
        ("… given a class wrongly", told.false_accept_ratio, ""),
    )
    for what, ratio, counted in figures:
        yield f"  {what:27}{percent(ratio):>6}  {counted}".rstrip()
    yield (
        f"  time per example taught {told.teach_ms:.1f} ms, per query answered "
        f"{told.classify_ms:.1f} ms (medians); encoder {told.encoder_version} ready in "
        f"{told.load_s:.1f} s"
    )


def _answers(told: Told) -> Iterator[str]:
    yield "  Three answers and why:"
    for exchange in told.explained:
        yield from _spoken(told, exchange)


def _failure(told: Told) -> Iterator[str]:
    if told.mistake is None:
        yield "  No mistake was made this time."
        return
    truth = told.mistake.query.label or "no class at all"
    yield f"  And a mistake (right would have been: {truth}):"
    yield from _spoken(told, told.mistake)


def _forgetting(told: Told) -> Iterator[str]:
    yield f"  Now it forgets {told.forgotten!r} and is asked the same again:"
    yield f"    {_quoted(told, told.before)}"
    yield f"      before  {verdict(told.before)}"
    yield f"      after   {verdict(told.after)}"


def _spoken(told: Told, exchange: Exchange) -> Iterator[str]:
    yield f"    {_quoted(told, exchange)}"
    yield f"      {verdict(exchange)}"
    for near in exchange.answer.evidence[:2]:
        example = told.scene.examples[told.taught[near.support_id]]
        shown = f": {example}" if isinstance(example, str) else ""
        yield f"      {near.similarity:+.2f} to the example of {near.label!r}{shown}"


def _quoted(told: Told, exchange: Exchange) -> str:
    caption = exchange.query.caption
    return f'"{caption}"' if told.scene.modality == "text" else caption


def verdict(exchange: Exchange) -> str:
    """Say the decision in a few words."""
    answer = exchange.answer
    if answer.label is not None:
        return f"{answer.label}, confidence {answer.confidence:.2f}"
    if not answer.candidates:
        return f"{answer.decision}: nothing is taught"
    best = answer.candidates[0]
    return (
        f"{answer.decision}; nearest class is {best.label!r} with confidence {best.confidence:.2f}"
    )
