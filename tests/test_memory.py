"""Keeping freed memory: blocks that come and go do not cost their pages again."""

import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
from tfface import memory
kept = sys.argv[1] == "kept"
if kept and not memory.keep_freed():
    sys.exit(77)
np.ones(4_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(4_000_000)  # 32 MB, 7,812 pages
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's own switches")
def test_blocks_that_come_and_go_keep_their_pages():
    def faults(way):
        result = subprocess.run([sys.executable, "-c", FAULTS, way], capture_output=True, text=True)
        if result.returncode == 77:
            pytest.skip("another C library than glibc")
        assert not result.returncode, result.stderr
        return int(result.stdout)

    assert faults("kept") < faults("given back") / 10
