"""Names the machine that figures come from."""

import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path

FLAGS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
PACKAGES = ("tensorflow", "keras", "numpy", "torch", "onnxruntime", "ai-edge-litert", "opencv-python-headless")


def describe(cpuinfo=Path("/proc/cpuinfo")):
    """Returns a dict: processor, cores, flags that decide its speed, memory, GPUs, how busy it is, versions."""
    said = cpuinfo.read_text() if cpuinfo.exists() else ""
    name = re.search(r"model name\s*: (.*)", said)
    flags = set(said.split())
    return {
        "processor": name[1] if name else platform.processor() or platform.machine(),
        "cores": cores(),
        "flags": [flag for flag in FLAGS if flag in flags],
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpus": gpus(),
        "load_before": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{f"{package} version": version for package in PACKAGES if (version := _version(package))},
    }


def cores():
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def gpus():
    """Returns the names of NVIDIA's GPUs."""
    try:
        answer = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True)
    except OSError:
        return []
    return re.findall(r"GPU \d+: (.*?) \(", answer.stdout)


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
