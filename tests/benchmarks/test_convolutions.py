from benchmarks import convolutions
from tfface.models.ganimation import GANimationConfig


def test_prints_a_row_a_layer(capsys):
    convolutions.main(["--preset", "smoke", "--batch", "1", "--rounds", "1"])
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(table) == 2 + GANimationConfig.from_preset("smoke").discriminator_layers
    assert table[2].startswith("| smoke | 1 x 64 x 64 x 3 -> 16 | 1024 |") and table[2].endswith("| native |")
    assert table[-1].endswith("| product |")


def test_layers_are_the_discriminators():
    shapes = list(convolutions.layer_shapes("paper"))
    assert shapes[0] == (128, 3, 64, 4) and shapes[-1] == (4, 1024, 2048, 4)
