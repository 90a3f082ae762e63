"""The same edit by what an export can be run with, each made for a process of its own."""

from pathlib import Path

import numpy as np

from benchmarks.speed.machine import cores


class Exporter:
    """Writes a model with its first weights as a SavedModel, an ONNX and a LiteRT file, and its weights as they are."""

    def __init__(self, model, settings, folder):
        from benchmarks.speed import ours
        from tfface import export, formats, models

        cls, folder = models.get(model), Path(folder)
        made = cls(cls.Config.from_preset("paper", **settings), seed=0)
        self._saved = export.export_model(made, folder / "savedmodel", estimate=False).directory
        for kind, name in formats.FILES.items():
            formats.convert(made.editor(), kind, folder / name)
        self._inputs = {name: tensor.shape[1:] for name, tensor in made.editor().input.items()}
        iteration = ours.Iteration(model, "paper", settings)
        self._settings = iteration.settings()
        networks = {"generator": made.ema_generator, "discriminator": made.discriminator}
        self._weights = {name: ours.weights_of(network) for name, network in networks.items()}

    def about(self):
        """Returns the SavedModel's folder, the inputs' shapes, the settings and weights for PyTorch."""
        return str(self._saved), self._inputs, self._settings, self._weights


class SavedModel:
    def __init__(self, folder):
        import tensorflow as tf

        self._constant = tf.constant
        self._loaded = tf.saved_model.load(folder)
        self._edit = self._loaded.signatures["serving_default"]

    def prepare(self, inputs):
        self._inputs = {name: self._constant(value) for name, value in inputs.items()}

    def edit(self):
        return self._edit(**self._inputs)["image"].numpy()


class OnnxRuntime:
    def __init__(self, path):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = cores()
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        outputs = [output.name for output in self._session.get_outputs()]
        self._output = [name for name in outputs if name.removeprefix("edited_") == "image"]

    def prepare(self, inputs):
        self._inputs = inputs

    def edit(self):
        return self._session.run(self._output, self._inputs)[0]


class LiteRT:
    """One picture at a time, as these files are."""

    def __init__(self, path):
        from ai_edge_litert.interpreter import Interpreter

        self._runner = Interpreter(model_path=path, num_threads=cores()).get_signature_runner()

    def prepare(self, inputs):
        count = len(inputs["image"])
        self._inputs = [{name: value[i : i + 1] for name, value in inputs.items()} for i in range(count)]

    def edit(self):
        return np.concatenate([self._runner(**inputs)["image"] for inputs in self._inputs])


class PyTorch:
    def __init__(self, model, settings, weights):
        from benchmarks.peers.iteration import Iteration

        self._iteration = Iteration(model, settings)
        self._iteration.load(weights, [])

    def prepare(self, inputs):
        self._image = inputs["image"]
        self._condition = next(value for name, value in inputs.items() if name != "image")

    def edit(self):
        return self._iteration.edit(self._image, self._condition)
