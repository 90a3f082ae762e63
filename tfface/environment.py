"""What TensorFlow reads from the environment once, when it is first imported, as tfface's commands want it.

Importing tfface changes nothing; commands, benchmarks and tests call `prepare` first. Variables that are set already
stay as they are.

``TF_ENABLE_ONEDNN_OPTS`` is left alone. TensorFlow turns oneDNN's convolutions on by itself only for processors with
AVX-512. With AVX2 alone they are faster, too (`python -m benchmarks.process onednn`), but those of TensorFlow 2.21
write beyond their memory: the gradient of a 1x1 kernel with stride 2 ends a process of one thread with "free(): invalid
next size".
"""

import os


def prepare():
    """Sets the variables that are not set; does nothing once TensorFlow has been imported."""
    # Its start-up lines about missing GPUs frighten people.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
