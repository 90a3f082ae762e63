"""The one exception for bad input: a wrong file, value or flag given by the user."""


class InputError(ValueError):
    """Bad input from the user.

    The message is one line that names the file or value, says what was expected and what to do. Commands print it
    without a traceback and exit with code 2; a traceback is kept for our own bugs.
    """
