"""The tree of errors a user can meet.

Every error a user can cause is a `MlqError`: the command prints its one message and leaves with
its `exit_code`. A traceback therefore always means a bug in mlq, never a mistake of the user.
"""

from __future__ import annotations


class MlqError(Exception):
    """What happened, why, and what to do; printed as one message.

    Args:
        what: what happened, as a sentence without its full stop.
        why: the cause, if it is known.
        fix: what the user can do about it.
    """

    exit_code = 1

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        self.what, self.why, self.fix = what, why, fix
        super().__init__(str(self))

    def __str__(self) -> str:
        message = f"{self.what}: {self.why}" if self.why else self.what
        return f"{message}\n  {self.fix}" if self.fix else message


class InvalidInputError(MlqError):
    """A value the user typed cannot be used; the exit code is that of a usage error."""

    exit_code = 2


class SettingsError(MlqError):
    """A settings file or variable has an unknown key or a value that cannot be used."""

    exit_code = 2


class UnsafePathError(MlqError):
    """A folder or file that must be private to us belongs to, or is open to, another user."""


class JobNotFoundError(MlqError):
    """No job has this id or name."""


class QueueUnreachableError(MlqError):
    """The Redis server of the queue does not answer."""


class QueueSilentError(QueueUnreachableError):
    """The server took the question and did not answer in time."""


class TunnelError(QueueUnreachableError):
    """The way to the queue's host is closed: the name, the network, the keys or the forwarding."""


class UnsafeSocketError(UnsafePathError, QueueUnreachableError):
    """The folder of the queue's socket is not ours alone: any user may answer there."""


class OtherQueueError(QueueUnreachableError):
    """A server answers, and its data are another queue's; for what runs, that is silence."""


class EmptiedQueueError(OtherQueueError):
    """A server answers, and has no data of any queue."""


class QueueRefusedError(MlqError):
    """The queue answered and said no: a wrong password, an unknown dependency, a full disk."""


class MachineNameError(QueueRefusedError):
    """Another worker holds this machine's name: two machines have one name."""


class ServerError(MlqError):
    """The queue's Redis server cannot be started, stopped or found."""


class LostDataError(ServerError):
    """The queue's data are damaged, missing, or less than they were; they were left untouched."""


class SignatureError(MlqError):
    """A job is not signed with this queue's key, or was altered after it was signed."""


class StorageError(MlqError):
    """The results root cannot be read or written."""


class SupervisorError(MlqError):
    """The supervisor of this machine cannot be started or spoken to."""


class WorkerError(MlqError):
    """A worker cannot be started, stopped or installed."""


class PilotError(MlqError):
    """A batch system refused a pilot, or cannot be asked."""
