"""How action units should enter GANimation's generator: ``python -m benchmarks.conditioning --data DIR [--steps N]``.

Trains the laptop preset's warm-up (the part that learns from true answers) for the same few steps with each
conditioning, on the same batches, and compares the edits of held-out people with the true ones. DIR is a set made by
``python -m data_tools.synthesize --answers 2``. Prints a Markdown table:

* control: how much of the asked change is made, the projection of (edit - source) on (truth - source): 0 is doing
  nothing, 1 the whole change;
* PSNR of the edit to the truth, with that of the source (doing nothing) beside it.
"""

import argparse

import numpy as np

KINDS = {
    "concat": dict(conditioning="concat", relative=False),
    "concat, relative": dict(conditioning="concat", relative=True),
    "film": dict(conditioning="film", relative=False),
    "film, relative": dict(conditioning="film", relative=True),
}
PEOPLE = 128


def control(source, edit, truth):
    """Returns the projection of the change that was made on the asked one, over all pictures together."""
    asked = truth - source
    return float(np.sum((edit - source) * asked) / np.sum(asked**2))


def measure(dataset, steps, image_size, settings):
    """Trains one kind of conditioning and returns (control, PSNR of the edit, PSNR of the source)."""
    import keras
    import tensorflow as tf

    from tfface import models
    from tfface.data.pipeline import training_batches

    keras.utils.set_random_seed(0)
    model_class = models.get("ganimation")
    length = dict(image_size=image_size, steps=steps + 1, warmup_steps=steps)
    config = model_class.Config.from_preset("laptop", **length, **settings)
    model = model_class(config)
    model.compile()
    model.set_phase("warmup")
    options = dict(image_size=config.image_size, answers=True)
    batches = training_batches(dataset, config.examples_per_step, seed=0, **options)
    model.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)
    test = next(iter(training_batches(dataset, PEOPLE, seed=1, split="test", flip=False, **options)))
    inputs = {"image": test["image"], "action_units": test["target_action_units"]}
    edit = model.edit({**inputs, "source_action_units": test["action_units"]})["image"].numpy()
    source, truth = test["image"].numpy(), test["target_image"].numpy()
    asked = np.any(source != truth, (1, 2, 3))  # an asked change may be hidden; nothing to measure then
    psnr = [float(np.mean(tf.image.psnr(x[asked], truth[asked], max_val=2.0))) for x in (edit, source)]
    return control(source, edit, truth), *psnr


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conditioning", description="Compares conditionings.")
    parser.add_argument("--data", required=True, metavar="DIR", help="set made with --answers 2")
    parser.add_argument("--steps", type=int, default=800, help="warm-up steps of each kind (default %(default)s)")
    parser.add_argument("--image-size", type=int, default=64, help="pixels (default %(default)s)")
    options = parser.parse_args(arguments)
    from tfface.data.records import open_dataset

    dataset = open_dataset(options.data)
    print(f"{options.steps} steps at {options.image_size} px\n")
    print("| conditioning | control | PSNR, dB | doing nothing, dB |\n|---|---|---|---|")
    for name, settings in KINDS.items():
        made, edit, source = measure(dataset, options.steps, options.image_size, settings)
        print(f"| {name} | {made:.3f} | {edit:.2f} | {source:.2f} |", flush=True)


if __name__ == "__main__":
    main()
