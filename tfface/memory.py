"""What the C library does with memory that TensorFlow frees between operations.

By default glibc gives large blocks back to the system at once and asks for them again in the next operation, which
clears every page of them anew. A train step on a CPU frees and takes the same blocks all the time; what keeping
them saves says ``python -m benchmarks.process memory``.
"""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_LARGEST = 2**30  # bytes of a block that is kept; all tensors but a few are smaller


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
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST) and mallopt(_TRIM_THRESHOLD, 2**31 - 1))
