"""One process of a training job: ``python job.py '{"strategy": ..., "output": ..., ...}'``, with TF_CONFIG for several.

The arguments are those of `training.new_run`, ``resume``, and ``sgd``: plain gradient descent in place of Adam, which
divides rounding by rounding where a gradient is nearly zero.
"""

import json
import sys

import keras

from tfface import cli, distribution, training
from tfface.errors import LostWorker
from tfface.models.ganimation import GANimation


def build_sgd(self):
    networks = {"d": self.discriminator.trainable_variables, "g": self.generator.trainable_variables}
    networks |= {"d_warmup": self.warmup_variables, "g_warmup": networks["g"]}
    for name, variables in networks.items():
        optimizer = keras.optimizers.SGD(1e-4)
        optimizer.build(variables)
        setattr(self, f"{name}_optimizer", optimizer)


def main(preset, settings, values, data, output, resume=False, sgd=False):
    if sgd:
        GANimation.build_optimizers = build_sgd
    asked = "ganimation", preset, settings, values
    where = {"data": data, "output": output}

    def start():
        return training.new_run(*asked, **where)

    def resumed():
        return training.resumed_run(*asked, **where)

    run = distribution.first_on_chief(values.get("strategy", "none"), resumed if resume else start, resumed)
    training.train(run, progress=False)


if __name__ == "__main__":
    try:
        main(**json.loads(sys.argv[1]))
    except training.Stopped:
        sys.exit(130)
    except LostWorker as error:
        print(error, file=sys.stderr)
        sys.exit(cli.LOST_WORKER)
