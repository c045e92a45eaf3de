"""What jobs get from the process that enqueues them: its variables, and secrets through files.

Joins what `submission`, `captured` and `secrets` each decide, so that the commands and the Python
API do the same, in the same order: check everything, write code and secrets, and only then tell the
queue of the jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mlq.files.layout import Layout
from mlq.jobs.stop_signal import untimely
from mlq.settings.settings import Settings
from mlq.store import identity
from mlq.store.client import Client
from mlq.submit.batch import Checked, check_all
from mlq.submit.captured import Captured, capture, in_clear
from mlq.submit.secrets import chosen, keep
from mlq.submit.submission import Caller, Submission

if TYPE_CHECKING:
    from mlq.code.keeping import Elsewhere


@dataclass(frozen=True)
class Prepared:
    """Checked submissions, and the variables that they get.

    Args:
        checked: the submissions, ready to be numbered and signed.
        caller: whose they are.
        captured: which of its variables they get, and which not.
        notes: what the user should know of their code.
    """

    checked: list[Checked]
    caller: Caller
    captured: Captured = field(repr=False)
    notes: tuple[str, ...] = ()

    def with_code(
        self,
        settings: Settings,
        client: Client,
        elsewhere: Callable[[], Elsewhere] | None = None,
        *,
        dry: bool = False,
    ) -> Prepared:
        """Take their code and, unless `dry`, put it on the root; raise what `snapshots` does."""
        from mlq.submit.snapshots import with_code

        taken = with_code(self.checked, settings, self.caller.environ, client, elsewhere, dry=dry)
        return replace(self, checked=taken.checked, notes=tuple(taken.notes))

    def with_checked(self, checked: list[Checked]) -> Prepared:
        """Return the same with other checked submissions."""
        return replace(self, checked=checked)

    def keep_secrets(self, layout: Layout, client: Client) -> None:
        """Write the secrets that are asked for; raise what `mlq.submit.secrets.keep` does."""
        for submission in self._different():
            if submission.secrets:
                secrets = chosen(submission.secrets, self.caller.environ)
                keep(layout, self.caller.key, secrets, identity.queue_id(client))

    def notices(self) -> list[str]:
        """Return notices: of secrets in clear, variables left out, and signals at other times."""
        found: dict[str, None] = dict.fromkeys(self.notes)
        for submission in self._different():
            found[in_clear(submission.env)] = None
            if submission.captures(self.caller.capture_env):
                given = {*submission.env, *submission.secrets}
                found[self.captured.without(given).notice()] = None
        for spec in {id(spec): spec for _, spec in self.checked}.values():
            found[untimely(spec.signal, spec.time_limit_s)] = None
        return [text for text in found if text]

    def _different(self) -> list[Submission]:
        # Those that differ only in their command share a template.
        return list({id(template): asked for asked, template in self.checked}.values())


def prepare(
    submissions: Sequence[Submission],
    at: str,
    settings: Settings,
    environ: Mapping[str, str],
    key: bytes,
    *,
    typed: bool,
) -> Prepared:
    """Check submissions, with what their caller's variables add; see `mlq.submit.batch.check_all`.

    Raises:
        InvalidInputError: see `Submission.spec`.
    """
    if settings.is_remote:
        from mlq.submit.in_lab import is_elsewhere, with_lab_env

        if is_elsewhere(settings):
            submissions = with_lab_env(submissions, settings, environ)
    captured = capture(environ)
    caller = Caller(environ, captured.env, settings.capture_env, key)
    checked = check_all(submissions, at, settings.default_mem_mib, caller, typed=typed)
    return Prepared(checked, caller, captured)
