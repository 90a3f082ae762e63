"""What an exported SavedModel can be asked: TensorFlow functions over a model's networks, with named inputs.

All take any batch size B; S is the model's image size.

* ``serving_default``: ``image`` float32 (B, S, S, 3) in [-1, 1] and the model's conditions, if it has any (such as
  ``action_units`` float32 (B, 17) in [0, 1]) -> ``image`` and what else the model gives (such as ``attention``).
* ``edit_bytes``: ``image_bytes`` (B,) JPEG or PNG files of square face crops and the conditions -> ``image_bytes`` (B,)
  PNG files. The names end in ``_bytes``, so TensorFlow Serving's REST interface takes and gives them as base64.
* ``estimate``: ``image`` as above -> what the faces show now, by the model's own eyes (``action_units`` and the like).
  Without it a client cannot keep what it does not ask for. Models that look at nothing have none.
* ``model_card``: ``request`` (B,) any strings -> ``card`` (B,) the model card as JSON, so that a client needs the
  server's address alone.
"""

import json

import tensorflow as tf


def build(model, card, estimate=True):
    """Returns the signatures of a `FaceModel` and the module that holds their weights and nothing else.

    Args:
        model: a model whose `editor()` is a functional network from a dict with ``image`` to a dict with ``image``.
        card: JSON value for the signature ``model_card``.
        estimate: whether there is a signature ``estimate`` (its networks may be larger than the editor's).

    Returns:
        dict of name -> concrete function, and a `tf.Module`.
    """
    network = model.editor()
    size = network.input["image"].shape[1]
    conditions = condition_specs(network)
    image = tf.TensorSpec((None, size, size, 3), tf.float32, name="image")
    image_bytes = tf.TensorSpec((None,), tf.string, name="image_bytes")
    text = json.dumps(card)

    @tf.function
    def serving_default(**inputs):
        return network(inputs, training=False)

    @tf.function
    def edit_bytes(image_bytes, **condition):
        pixels = tf.map_fn(
            lambda data: decode_crop(data, size), image_bytes, fn_output_signature=tf.TensorSpec((size, size, 3))
        )
        edited = network({"image": pixels, **condition}, training=False)["image"]
        pixels = tf.cast(tf.round(tf.clip_by_value(edited * 127.5 + 127.5, 0.0, 255.0)), tf.uint8)
        return {"image_bytes": tf.map_fn(tf.io.encode_png, pixels, fn_output_signature=tf.string)}

    @tf.function
    def estimated(image):
        return {name: getattr(model, f"estimate_{name}")(image) for name in estimates(model)}

    @tf.function
    def model_card(request):
        return {"card": tf.fill(tf.shape(request), tf.constant(text))}

    functions = {
        "serving_default": serving_default.get_concrete_function(image=image, **conditions),
        "edit_bytes": edit_bytes.get_concrete_function(image_bytes=image_bytes, **conditions),
        "model_card": model_card.get_concrete_function(request=tf.TensorSpec((None,), tf.string, name="request")),
    }
    if estimate and estimates(model):
        functions["estimate"] = estimated.get_concrete_function(image=image)
    # Functions and variables only: saving the Keras object would add its layers' own traces for nothing.
    module = tf.Module()
    found = {id(variable): variable for function in functions.values() for variable in function.variables}
    module.weights = list(found.values())
    return functions, module


def estimates(model):
    """Returns the names of what a model can read from a face: of its methods ``estimate_NAME``."""
    return [name.removeprefix("estimate_") for name in dir(type(model)) if name.startswith("estimate_")]


def condition_specs(network):
    """Returns ``{name: TensorSpec}`` of a network's inputs beside the picture."""
    return {
        name: tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype, name=name)
        for name, tensor in network.input.items()
        if name != "image"
    }


def decode_crop(data, size):
    """Returns float32 (size, size, 3) in [-1, 1] of one JPEG or PNG file; a picture that is not square is an error."""
    image = tf.io.decode_image(data, channels=3, expand_animations=False)
    shape = tf.shape(image)
    # Stretching a whole photograph would give a plausible but wrong answer.
    tf.debugging.assert_equal(shape[0], shape[1], "image_bytes: expected a square face crop; align the photo first")
    image = tf.image.resize(image, (size, size), antialias=True)
    image.set_shape((size, size, 3))
    return tf.clip_by_value(image, 0.0, 255.0) / 127.5 - 1.0
