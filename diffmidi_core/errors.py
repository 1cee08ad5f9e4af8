"""Errors that users see: one sentence with what was asked, what was found and what to do next."""


class DiffmidiError(Exception):
    """A problem the user can act on; the command line prints it as one sentence and leaves with `exit_code`."""

    exit_code = 1


class UsageError(DiffmidiError):
    """The command, a name or an option is wrong; nothing was started."""

    exit_code = 2


class BrokenPluginError(UsageError):
    """An installed plugin cannot be loaded, or does not keep its kind's contract; the message names its package."""


class UnreadableError(DiffmidiError):
    """A file is there and may not be read."""


class StoppedError(DiffmidiError):
    """The user or the scheduler asked us to stop, and what was done is kept."""

    exit_code = 130


class RefusedError(DiffmidiError):
    """One input file cannot be used; `reason` is a short stable word for counting, the message is the sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type["RefusedError"], tuple[str, str]]:
        return type(self), (self.reason, str(self))
