"""What GANimation and AttGAN share: WGAN-GP with a discriminator that also reads what the generator is told to change.

After a warm-up, in which the discriminator learns to read and the generator learns from true answers where there are
any, both play against each other.
"""

import keras

from tfface import augmentation
from tfface.errors import InputError
from tfface.models.base import ConstantThenLinear, FaceModel, Phase


class ConditionalGAN(FaceModel):
    """A `FaceModel` of ``generator``, ``ema_generator`` (its average) and ``discriminator``.

    Of its settings it reads `steps`, `epochs`, `warmup_steps`, `warmup_rate`, `learning_rate`, `constant_share`,
    `n_critic` and `augment`. The discriminator's critic is its layers with ``realism`` in their names.
    """

    def build_optimizers(self):
        c = self.config
        updates = max(1, c.steps - c.warmup_steps)

        def adam(updates, variables):
            plateau = updates / c.epochs if c.epochs else 1  # the published rates change between epochs only
            rate = ConstantThenLinear(c.learning_rate, c.constant_share * updates, updates, plateau)
            optimizer = keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.999, epsilon=1e-8)
            optimizer.build(variables)
            return optimizer

        self.g_optimizer = adam(updates, self.generator.trainable_variables)
        self.d_optimizer = adam(updates * c.n_critic, self.discriminator.trainable_variables)

        def warmup_adam(variables):
            rate = ConstantThenLinear(c.warmup_rate, c.warmup_steps / 2, c.warmup_steps)
            optimizer = keras.optimizers.Adam(rate, beta_1=0.9, beta_2=0.999)
            optimizer.build(variables)
            return optimizer

        if c.warmup_steps:
            self.d_warmup_optimizer = warmup_adam(self.warmup_variables)
            self.g_warmup_optimizer = warmup_adam(self.generator.trainable_variables)

    @property
    def warmup_variables(self):
        """The discriminator without its critic, which the conditions do not reach."""
        return [v for v in self.discriminator.trainable_variables if "realism" not in v.path]

    def phases(self):
        warmup = [Phase("warmup", self.config.warmup_steps)] if self.config.warmup_steps else []
        return [*warmup, Phase("adversarial", self.total_steps)]

    def draws(self, batch):
        """Returns the random numbers of an adversarial step: ``alpha`` of the penalty's points, ``moves`` if any."""
        moves = self.moves(batch)
        return {"alpha": self.uniform(batch, draw=0), **({} if moves is None else {"moves": moves})}

    def moves(self, batch):
        """Returns what shifts the discriminator's pictures of a batch, (batch, 2), or None without `augment`."""
        return self.uniform(batch, draw=1, shape=(2,)) if self.config.augment else None

    def seen(self, image, moves):
        """Returns pictures as the discriminator gets them."""
        return image if moves is None else augmentation.shift(image, self.config.augment, moves)


def check_augment(share):
    """Raises `InputError` unless the setting `augment` is 0 or a share that leaves some of a picture."""
    if not 0 <= share < 1:
        raise InputError(f"augment={share}: expected 0 (off) to less than 1, such as 0.125")
