"""What ``tfface info`` prints: the versions, devices and folders that decide how tfface runs on this machine."""

import os
import platform
import shutil
import subprocess
import sys
from importlib import metadata, resources
from pathlib import Path

from tfface import __version__
from tfface.errors import InputError

PACKAGES = ("tensorflow", "keras", "numpy", "numba", "opencv-python-headless", "ai-edge-litert", "scikit-image")


def report(root=Path()):
    """Returns the lines of ``tfface info`` as (what, value) pairs.

    Args:
        root: folder whose runs/ and data/ are looked at.
    """
    return [*_software(), *_devices(), *_caches(), *_folders(Path(root))]


def _software():
    yield "tfface", f"{__version__} in {resources.files('tfface')}"
    yield "Python", f"{platform.python_version()} in {sys.prefix}"
    yield "system", f"{platform.platform()}, {os.cpu_count()} CPU cores{_memory()}"
    for name in PACKAGES:
        yield name, _version(name)


def _version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed: pip install -r requirements.txt"


def _memory():
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return ""
    return f", {size / 2**30:.0f} GiB memory"


def _devices():
    import tensorflow as tf

    from tfface import config, training

    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        details = tf.config.experimental.get_device_details(gpu)
        capability = ".".join(map(str, details.get("compute_capability", ())))
        yield "GPU", f"{details.get('device_name', gpu.name)}, compute capability {capability or 'unknown'}"
    if not gpus:
        yield "GPU", _why_no_gpu()
    yield "XLA", _xla(tf)
    yield "bfloat16", "computed by the CPU" if training.cpu_computes_bfloat16() else "emulated by the CPU (slow)"
    settings = training.resolve(config.RunSettings())
    yield "auto means", f"--precision {settings.precision} --jit {settings.jit}"


def _why_no_gpu():
    if not shutil.which("nvidia-smi"):
        return "none: there is no NVIDIA driver here (no nvidia-smi), so everything runs on the CPU"
    answer = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True)
    if answer.returncode:
        said = " ".join((answer.stdout or answer.stderr or "no message").split())
        return f"none: nvidia-smi fails ({said})"
    return "not used: the driver works but TensorFlow's CUDA libraries are missing; pip install 'tensorflow[and-cuda]'"


def _xla(tf):
    try:
        total = tf.function(lambda x: tf.reduce_sum(x * x), jit_compile=True)(tf.constant([3.0, 4.0]))
    except tf.errors.OpError as error:
        return f"does not work: {error.message.splitlines()[0]}"
    return "works" if float(total) == 25.0 else f"computes wrongly: 25 became {float(total)}"


def _caches():
    """What is kept outside of runs and data sets; deleted, it comes back when it is needed."""
    from tfface import perceptual
    from tfface.synthetic import raster

    vgg16 = perceptual.cached_vgg16()
    there = f"{_megabytes([vgg16])}" if vgg16.exists() else "not there; Keras fetches it for features=vgg16"
    yield "cache of VGG16", f"{vgg16} ({there})"
    compiled = Path(raster.rasterize.stats.cache_path)
    yield "cache of the renderer", f"{compiled} ({_megabytes(compiled.glob('*.nb[ci]'))} compiled)"


def _folders(root):
    for path in sorted((*(root / "runs").glob("*/"), *(root / "data").glob("*/"))):
        if (path / "config.json").exists():
            yield "run", f"{path} ({_size(path)})"
        elif (path / "dataset.json").exists():
            yield "data set", f"{path} ({_size(path)}), {_data_state(path)}"


def _data_state(path):
    from tfface.data.records import open_dataset

    try:
        return f"{open_dataset(path).count} records"
    except InputError as error:
        return str(error)


def _size(path):
    return _megabytes(file for file in path.rglob("*") if file.is_file())


def _megabytes(files):
    return f"{sum(file.stat().st_size for file in files) / 1e6:.1f} MB"
