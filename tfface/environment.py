"""What TensorFlow reads from the environment once, when it is first imported, as tfface's commands want it.

Importing tfface changes nothing; commands, benchmarks and tests call `prepare` first. A program of your own sets the
same variables, or calls `prepare`, before it imports TensorFlow. Variables that are set already stay as they are.
"""

import os


def prepare():
    """Sets the variables that are not set; does nothing once TensorFlow has been imported."""
    # Its start-up lines about missing GPUs frighten people.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # TensorFlow turns oneDNN's convolutions on by itself only for processors with AVX-512, but those without train
    # faster with it too (`python -m benchmarks.process onednn`).
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
