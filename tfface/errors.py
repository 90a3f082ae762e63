"""The one exception for bad input, a wrong file, value or flag given by the user, and the exit codes of commands."""

import sys

from tfface import environment


class InputError(ValueError):
    """Bad input from the user.

    The message is one line that names the file or value, says what was expected and what to do. Commands print it
    without a traceback and exit with code 2; a traceback is kept for our own bugs. Where the reader needs more than the
    line can hold, `page` names the page of docs/ that has it (and the heading behind ``#``).
    """

    def __init__(self, message, page=None):
        super().__init__(f"{message} (see docs/{page})" if page else message)


class LostWorker(RuntimeError):
    """Another process of the same training job is gone; the message says how to go on."""


def exit_code(work, stopped="Stopped. Run the same command again to go on."):
    """Does the `work` of a command, in the `environment` it wants, and returns the command's exit code.

    Returns:
        0; 2 for bad input, whose line goes to the standard error; 130 when interrupted, where `stopped` goes.
    """
    environment.prepare()
    try:
        work()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\n{stopped}", file=sys.stderr)
        return 130
    return 0
