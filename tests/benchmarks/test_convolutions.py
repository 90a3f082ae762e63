from tqdm import tqdm

from benchmarks import convolutions
from tfface.models.ganimation import GANimationConfig
from tfface.models.ganimation_networks import Discriminator, Generator


def test_a_row_of_the_table():
    case = convolutions.cases("smoke", batch=1)[3]
    with tqdm(disable=True) as bar:
        line = convolutions.row(case, convolutions.measure(case, 1, bar))
    width = GANimationConfig.from_preset("smoke").discriminator_width
    shape = f"1 x 8 x 8 x {4 * width} -> {8 * width}"
    assert line.startswith(f"| smoke | Downsample 4 x 4 | {shape} |") and line.endswith("| native |")
    assert convolutions.takes(convolutions.cases("smoke")[0]) == "native"


def test_layers_are_the_networks():
    config = GANimationConfig.from_preset("smoke")
    discriminator = Discriminator(config.image_size, config.discriminator_width, config.discriminator_layers)
    generator = Generator(
        config.image_size,
        config.generator_width,
        config.residual_blocks,
        config.conditioning,
        edge_kernel=config.edge_kernel,
    )
    names = [(discriminator, f"down{number + 1}") for number in range(config.discriminator_layers)]
    names += [(generator, name) for name in ("residual1a", "up2", "stem", "heads")]
    for case, (network, name) in zip(convolutions.cases("smoke"), names, strict=True):
        layer = network.get_layer(name)
        assert type(layer) is case.kind
        assert (layer.input.shape[1:], layer.kernel.shape) == (case.shape[1:], case.layer().kernel.shape)
