"""What the C library does with memory that TensorFlow frees between operations.

By default glibc gives large blocks back to the system at once and asks for them again in the next operation, which
clears every page of them anew. A train step on a CPU frees and takes the same blocks all the time; what keeping
them saves says ``python -m benchmarks.process memory``.
"""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of mallopt(3)
_NEVER = -1


def keep_freed():
    """Lets the C library keep what is freed, for the rest of the process; returns whether it understood.

    Only glibc (Linux) is asked. The process holds what it needed at most, as TensorFlow's GPU allocator does.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # another C library, such as musl
        return False
    # No block has pages of its own: XLA keeps all that a step needs in one, which can be larger than any threshold.
    return bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, _NEVER))
