"""TensorBoard event files by TensorFlow alone: ``tf.summary.scalar`` and ``image`` need TensorBoard installed.

What they would write is a tensor with the metadata of the plugin that shows it (``tensorboard/plugins/*/metadata.py``).
"""

import cv2
import tensorflow as tf
from tensorflow.core.framework import summary_pb2


class EventWriter:
    """Appends scalars and pictures to an event file of a directory; ``tensorboard --logdir`` shows them."""

    def __init__(self, directory):
        self.writer = tf.summary.create_file_writer(str(directory))

    def scalar(self, name, value, step):
        """Adds a number."""
        self._write(name, tf.constant(value, tf.float32), step, "scalars", summary_pb2.DATA_CLASS_SCALAR)

    def image(self, name, picture, step):
        """Adds an RGB uint8 picture (H, W, 3)."""
        height, width, _ = picture.shape
        data = cv2.imencode(".png", picture[..., ::-1])[1].tobytes()
        content = tf.constant([str(width), str(height), data])
        self._write(name, content, step, "images", summary_pb2.DATA_CLASS_BLOB_SEQUENCE)

    def _write(self, name, tensor, step, plugin, data_class):
        data = summary_pb2.SummaryMetadata.PluginData(plugin_name=plugin)
        metadata = summary_pb2.SummaryMetadata(plugin_data=data, data_class=data_class)
        with self.writer.as_default():
            tf.summary.write(name, tensor, step=step, metadata=metadata)

    def flush(self):
        """Makes what was added visible to TensorBoard."""
        self.writer.flush()

    def close(self):
        """Flushes and closes the file."""
        self.writer.close()
