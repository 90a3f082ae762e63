"""tfface: controllable face editing with TensorFlow 2 and Keras 3.

Importing this package has no side effect: no TensorFlow import, no files, no environment variables. Import the part
you need, e.g. ``from tfface.models.ganimation import GANimation``.
"""

__version__ = "0.1.0"
