"""Exported models over the network: a client of TensorFlow Serving, and a stand-in for it on laptops and in tests.

`Client` speaks to either. The server (``python -m tfface serve``) answers TensorFlow Serving's REST and gRPC interfaces
for the SavedModels that `tfface.export` writes; it is no replacement of TensorFlow Serving (docs/serving.md).
"""

from tfface.serving.client import Client

__all__ = ["Client"]
