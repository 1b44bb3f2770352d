"""Evaluating: how good a head is on labelled vectors or sources, by the published protocols."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from imprint.errors import InvalidOptionError
from imprint.flows.judging.material import Reader
from imprint.measure import full_set, trial
from imprint.measure.episodes import EpisodePlan, episodes
from imprint.measure.report import EvaluationReport, Protocol, summarize
from imprint.vectors import unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from imprint.flows.judging.material import Material
    from imprint.measure.episodes import Episode
    from imprint.measure.report.summary import ProtocolName
    from imprint.settings import Settings

_N_WAY, _N_EPISODES, _N_DRAWS = 5, 600, 10


def evaluate(  # noqa: PLR0913, PLR0917 - the protocols have this many numbers; all have defaults
    samples: Any,
    labels: Sequence[Any],
    n_way: int | None = None,
    n_shot: int = 1,
    n_query: int = 15,
    n_episodes: int | None = None,
    head: str = "auto",
    seed: int = 0,
    encoder: Any = None,
    *,
    protocol: ProtocolName = "episodic",
    test: tuple[Any, Sequence[Any]] | None = None,
    false_accept_rate: float = 0.05,
    alpha: float | None = None,
    n_unknown_way: int | None = None,
    background: Any = None,
    leave_out: bool = False,
    transductive: bool = False,
    settings: Settings | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> EvaluationReport:
    """Judge a head by teaching and asking it many times.

    Args:
        samples: vectors (n, d), scaled to length one here, or sources: texts, paths, bytes,
            images. Sources are embedded first.
        labels: one per sample; anything `str` makes a name of.
        n_way: classes taught at a time; None is 5, and all of them for the full-set protocol.
        n_shot: supports taught of each class.
        n_query: queries asked of each class (episodic only).
        n_episodes: episodes, None is 600; draws of the full-set protocol, None is 10.
        head: name of a head, or "auto".
        seed: the same seed asks every head the same episodes.
        encoder: name, encoder or callable for sources; with vectors, the encoder that made them
            or its version, for the record.
        protocol: "episodic", or "full": teach `n_shot` per class and ask all of `test`.
        test: samples and labels that the full-set protocol asks.
        false_accept_rate: share of unknown queries the head may name, as its owner would state it.
        alpha: Dirichlet parameter of class-imbalanced queries; None asks all classes alike.
        n_unknown_way: classes asked without being taught; None takes up to `n_way` of the rest.
        background: vectors of no class; None takes those of the encoder.
        leave_out: leave out sources that cannot be read, and count them; else the first is an
            error.
        transductive: let the queries of an episode inform each other; the report says so.
        settings: where encoders are found; None reads the usual ones.
        progress: called with (stage, done, total), stages "embed" and "episodes".

    Raises:
        TooFewSupportsError: a class, named, or the whole holds too few samples.
        InvalidOptionError: an argument out of range.
        InvalidInputError: a source cannot be read, or with `leave_out` none can.
    """
    if protocol not in ("episodic", "full"):
        raise InvalidOptionError('protocol must be "episodic" or "full"')
    if (protocol == "full") != (test is not None):
        raise InvalidOptionError('protocol="full" and test=(samples, labels) go together')
    tell = progress or _silent
    began = perf_counter()
    reader = Reader.of(samples, encoder, settings, tell, leave_out=leave_out)
    train = reader.material(samples, labels)
    asked = train if test is None else reader.material(*test)
    embedded = perf_counter()
    plan = EpisodePlan(
        n_way=_taught_at_a_time(n_way, protocol, train),
        n_shot=n_shot,
        n_query=n_query,
        n_episodes=_times(n_episodes, protocol),
        alpha=alpha,
        n_unknown_way=n_unknown_way,
    )
    bank = reader.background if background is None else unit(background)
    choice = trial.HeadChoice(head, false_accept_rate, bank, transductive)
    trials = []
    for number, episode in enumerate(_jobs(plan, train, asked, seed)):
        rng = np.random.default_rng([seed, number, 1])
        trials.append(trial.run(episode, train.vectors, asked.vectors, choice, rng))
        tell("episodes", number + 1, plan.n_episodes)
    report = summarize(
        trials,
        train.pool.labels,
        _record(protocol, plan, seed, choice, train, asked, reader.version),
        train.vectors,
        asked.vectors,
        {"embed": embedded - began, "episodes": perf_counter() - embedded},
    )
    return replace(report, captions=reader.captions(report.mistakes, train, asked))


def _silent(stage: str, done: int, total: int) -> None:
    del stage, done, total


def _taught_at_a_time(n_way: int | None, protocol: ProtocolName, train: Material) -> int:
    if n_way is not None:
        return n_way
    return _N_WAY if protocol == "episodic" else train.pool.n_classes


def _times(n_episodes: int | None, protocol: ProtocolName) -> int:
    if n_episodes is not None:
        return n_episodes
    return _N_EPISODES if protocol == "episodic" else _N_DRAWS


def _jobs(plan: EpisodePlan, train: Material, asked: Material, seed: int) -> Iterator[Episode]:
    if asked is train:
        return episodes(train.pool, plan, seed)
    return full_set.draws(
        train.pool,
        asked.pool,
        n_shot=plan.n_shot,
        n_draws=plan.n_episodes,
        n_way=plan.n_way,
        seed=seed,
    )


def _record(
    protocol: ProtocolName,
    plan: EpisodePlan,
    seed: int,
    choice: trial.HeadChoice,
    train: Material,
    asked: Material,
    version: str | None,
) -> Protocol:
    episodic = protocol == "episodic"
    return Protocol(
        protocol=protocol,
        n_way=plan.n_way,
        n_shot=plan.n_shot,
        n_query=plan.n_query if episodic else None,
        n_episodes=plan.n_episodes,
        seed=seed,
        head=choice.head,
        false_accept_rate=choice.false_accept_rate,
        alpha=plan.alpha if episodic else None,
        n_classes=train.pool.n_classes,
        n_samples=train.pool.n_rows + (0 if episodic else asked.pool.n_rows),
        n_left_out=train.n_left_out + (0 if episodic else asked.n_left_out),
        encoder_version=version,
        transductive=choice.transductive,
    )
