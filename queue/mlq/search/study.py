"""The next member of a search, by Optuna: a study is made anew from the members each time.

Nothing is kept from one time to the next, neither in a file nor in memory: the same members give
the same next one. So a search that was killed goes on where it was, and it makes no difference how
many of them run. This room alone imports Optuna.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from mlq.errors import MlqError
from mlq.search.goal import Goal
from mlq.search.history import Trial
from mlq.search.space import Drawn, Space

if TYPE_CHECKING:
    import optuna

_TRIES = 100
"""How often a member is drawn that there is already, before the space counts as exhausted."""


class MissingOptunaError(MlqError):
    """Optuna is not installed where a search runs."""


def check_optuna(*, by_worker: bool = False) -> None:
    """Make sure that Optuna can be imported.

    Args:
        by_worker: whether the Python of a worker needs it, not that of the user who types.

    Raises:
        MissingOptunaError: it cannot.
    """
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        import sys

        raise MissingOptunaError(
            "a search needs Optuna",
            why=f"{sys.executable} cannot import it: {error}",
            fix=f"install it for the worker: {sys.executable} -m pip install 'optuna>=4'"
            if by_worker
            else "pip install 'mlq-lab[search]'",
        ) from None


def next_member(
    space: Space,
    trials: Sequence[Trial],
    goal: Goal,
    seed: tuple[int, int],
    is_new: Callable[[Mapping[str, str]], bool],
) -> Drawn | None:
    """Return the parameters of the next member; None if there is none that is new.

    Args:
        space: of the search.
        trials: all members so far.
        goal: of the search.
        seed: two numbers, of which the second is the index of the next member; another first one
            draws other members.
        is_new: whether no member has these parameters.
    """
    import optuna

    with _quiet():
        study = rebuilt(space, trials, goal, _mixed(seed))
        for _ in range(_TRIES):
            trial = study.ask()
            try:
                drawn = space.draw(trial)
            except optuna.TrialPruned:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
                continue
            if is_new(drawn.params):
                return drawn
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
    return next((Drawn(one) for one in space.combinations() if is_new(one)), None)


def rebuilt(space: Space, trials: Sequence[Trial], goal: Goal, seed: int) -> optuna.Study:
    """Return the study of a search, in memory.

    A member that the space as it is now could not have drawn is left out.

    Args:
        space: of the search.
        trials: all members so far.
        goal: of the search.
        seed: of the sampler.
    """
    import optuna

    from mlq.search.light_trial import light_trial

    way = optuna.study.StudyDirection
    direction = way.MINIMIZE if goal.minimize else way.MAXIMIZE
    with _quiet():
        # Running members count as bad ones, so that no two are drawn at the same place at once.
        sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        study = optuna.create_study(sampler=sampler, direction=direction)
    for one in trials:
        read = space.read(one.params, one.drawn)
        if read is not None:
            with suppress(ValueError):  # a value between two steps, or beyond an end
                study.add_trial(light_trial(one, read))
    return study


def _mixed(seed: tuple[int, int]) -> int:
    """Return a seed for each member: equal ones would draw the same as long as nothing is known."""
    digest = hashlib.blake2b("{} {}".format(*seed).encode(), digest_size=4)
    return int.from_bytes(digest.digest())


@contextmanager
def _quiet() -> Iterator[None]:
    """Let Optuna say nothing: what it remarks on is chosen here, and not by the user."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)
