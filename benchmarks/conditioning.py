"""How action units should enter GANimation, and whether its discriminator should read them first.

``python -m benchmarks.conditioning --data DIR -o RESULTS``: DIR is a set made by ``python -m data_tools.synthesize
--answers 2``. Every seed trains the laptop preset's warm-up, the part that learns from true answers, with each of the
conditionings for the same steps, on the same batches. The one of the preset goes on into the adversarial phase twice
from there: with the discriminator that has learnt to read action units, and with a new one that has not.

An interrupted run goes on where it stopped. The tables are printed as Markdown and kept in ``RESULTS/tables.md``:

* control: how much of the asked change is made, the projection of (edit - source) on (truth - source) over all
  held-out pictures: 0 is doing nothing, 1 the whole change. Estimated: with the source's action units as the
  discriminator reads them, as of photos, instead of the true ones;
* PSNR of the edit to the truth, with that of the source (doing nothing) beside it;
* reading: mean ICC between the discriminator's estimates and the truth.
"""

import argparse
import pathlib
import sys

import numpy as np

from benchmarks import repeats
from tfface import metrics
from tfface.conventions import ACTION_UNITS, MAX_INTENSITY
from tfface.errors import InputError

KINDS = {
    "concat": dict(conditioning="concat", relative=False),
    "concat, relative": dict(conditioning="concat", relative=True),
    "film": dict(conditioning="film", relative=False),
    "film, relative": dict(conditioning="film", relative=True),
}
CONTINUED = "film, relative"  # the preset's
READER = {"reads already": False, "starts new": True}  # whether the discriminator is a new one
PEOPLE = 128  # held-out pictures


def control(source, edit, truth):
    """Returns the projection of the change that was made on the asked one, over all pictures together."""
    asked = truth - source
    return float(np.sum((edit - source) * asked) / np.sum(asked**2))


def warmed_up(dataset, steps, further, image_size, settings, seed):
    """Returns (model after its warm-up, its endless batches); `further` steps of the other phase are to come."""
    import keras

    from tfface import models
    from tfface.data.pipeline import training_batches

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model_class = models.get("ganimation")
    length = dict(image_size=image_size, steps=steps + max(1, further), warmup_steps=steps)
    model = model_class(model_class.Config.from_preset("laptop", **length, **settings), seed=seed)
    model.compile()
    model.set_phase("warmup")
    batches = training_batches(dataset, model.examples_per_step, image_size=image_size, seed=seed, answers=True)
    model.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)
    return model, batches


def continued(model, batches, steps, test, new_discriminator):
    """Returns the scores after `steps` adversarial ones; the model is then what it was before."""
    optimizers = model.g_optimizer.variables + model.d_optimizer.variables
    before = [(variable, variable.numpy()) for variable in model.variables + optimizers]
    if new_discriminator:
        fresh = type(model.discriminator).from_config(model.discriminator.get_config())
        model.discriminator.set_weights(fresh.get_weights())
    model.set_phase("adversarial")
    model.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)
    result = scores(model, test)
    for variable, value in before:
        variable.assign(value)
    return result


def held_out(dataset, image_size):
    """Returns a batch of `PEOPLE` held-out pictures with their answers."""
    from tfface.data.pipeline import training_batches

    options = dict(image_size=image_size, answers=True, split="test", flip=False)
    return next(iter(training_batches(dataset, PEOPLE, seed=1, **options)))


def scores(model, test):
    """Returns the numbers of the tables for one model and a batch of `held_out`."""
    import tensorflow as tf

    source, truth = test["image"].numpy(), test["target_image"].numpy()
    inputs = {"image": test["image"], "action_units": test["target_action_units"]}
    edit = model.edit({**inputs, "source_action_units": test["action_units"]})["image"].numpy()
    blind = model.edit(inputs)["image"].numpy()
    asked = np.any(source != truth, (1, 2, 3))  # an asked change may be hidden; nothing to measure then
    psnr = [float(np.mean(tf.image.psnr(x[asked], truth[asked], max_val=2.0))) for x in (edit, source)]
    read = model.estimate_action_units(test["image"]).numpy() * MAX_INTENSITY
    units = metrics.action_unit_scores(read, test["action_units"].numpy() * MAX_INTENSITY, ACTION_UNITS)
    return {
        "control": control(source, edit, truth),
        "control_estimated": control(source, blind, truth),
        "psnr": psnr[0],
        "psnr_source": psnr[1],
        "reading": float(np.nanmean([score["icc"] for score in units.values()])),
    }


def compare(data, output, steps, further, image_size, seeds, progress=True):
    """Trains and scores what is not there yet -> ``{(kind or reader, seed): scores}``, kept one by one in `output`."""
    from tqdm import tqdm

    from tfface.data.records import open_dataset

    dataset = open_dataset(data)
    settings = {"steps": steps, "further": further, "image_size": image_size, "records": len(dataset)}
    kept = repeats.Results(pathlib.Path(output) / "results", settings)
    test = held_out(dataset, image_size)
    with tqdm(total=len(KINDS) * seeds, unit="training", disable=not progress) as bar:
        for seed in range(seeds):
            for kind, own in KINDS.items():
                after = [kind, *(READER if kind == CONTINUED else ())]
                bar.set_postfix_str(f"{kind}, seed {seed}")
                if any(kept.get(name, seed) is None for name in after):
                    model, batches = warmed_up(dataset, steps, further, image_size, own, seed)
                    kept.put(kind, seed, scores(model, test))
                    for reader in after[1:]:
                        kept.put(reader, seed, continued(model, batches, further, test, READER[reader]))
                bar.update()
    return {(name, seed): kept.get(name, seed) for name in (*KINDS, *READER) for seed in range(seeds)}


def tables(results, seeds):
    """Returns both comparisons as Markdown tables: means over seeds with intervals."""
    columns = {
        "control": ("control", 3), "control, estimated": ("control_estimated", 3), "PSNR, dB": ("psnr", 2),
        "doing nothing, dB": ("psnr_source", 2), "reading, ICC": ("reading", 3),
    }  # fmt: skip

    def table(title, names):
        rows = [
            (name, *(repeats.interval([results[name, s][key] for s in range(seeds)], d) for key, d in columns.values()))
            for name in names
        ]
        return repeats.markdown((title, *columns), rows)

    return f"{table('conditioning', KINDS)}\n{table('discriminator', (CONTINUED, *READER))}"


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conditioning", description="Compares conditionings.")
    parser.add_argument("--data", required=True, metavar="DIR", help="set made with --answers 2")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="for results and tables")
    parser.add_argument("--steps", type=int, default=1200, help="warm-up steps of each kind (default %(default)s)")
    parser.add_argument("--further", type=int, default=300, help="adversarial steps after them (default %(default)s)")
    parser.add_argument("--image-size", type=int, default=32, help="pixels (default %(default)s)")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each kind (default %(default)s)")
    options = parser.parse_args(arguments)
    try:
        if min(options.steps, options.further, options.seeds) < 1:
            raise InputError("steps, further, seeds: expected 1 or more of each")
        sizes = options.steps, options.further, options.image_size, options.seeds
        results = compare(options.data, options.output, *sizes)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    text = tables(results, options.seeds)
    (pathlib.Path(options.output) / "tables.md").write_text(text)
    told = f"{options.steps} warm-up and {options.further} adversarial steps at {options.image_size} px"
    print(f"{told}, {options.seeds} seeds\n\n{text}", end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
