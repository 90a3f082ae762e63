"""PyTorch's side of the benchmark is the same iteration: losses, gradients and what an update makes of the weights."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="compares with PyTorch: pip install -e '.[benchmarks]'")

from benchmarks.peers import blocks, iteration  # noqa: E402
from benchmarks.speed import iterations, ours  # noqa: E402

SETTINGS = {
    "ganimation": dict(
        image_size=16,
        generator_width=4,
        residual_blocks=1,
        discriminator_width=4,
        discriminator_layers=3,
        edge_kernel=5,
    ),
    "attgan": dict(image_size=16, generator_width=4, discriminator_width=4, discriminator_units=8, depth=3),
}  # fmt: skip


@pytest.fixture(scope="module", params=iterations.MODELS)
def tensorflow(request):
    return ours.Iteration(request.param, "paper", {**SETTINGS[request.param], "batch_size": 2, "n_critic": 2})


def louder(tensorflow):
    """Returns the weights, larger than they start: the critic says more than rounding errors, no bias is zero."""
    random = np.random.default_rng(1)
    weights = tensorflow.weights()
    return {
        network: {
            name: (value * 3 if name.endswith("kernel") else value + random.uniform(0, 0.2, value.shape)).astype("f4")
            for name, value in values.items()
        }
        for network, values in weights.items()
    }


@pytest.fixture(scope="module", params=iterations.LAYOUTS)
def pair(request, tensorflow):
    weights = louder(tensorflow)
    for network, values in weights.items():
        for name, variable in ours._named(getattr(tensorflow.model, network)):
            variable.assign(values[name])
    peer = iteration.Iteration(tensorflow.name, tensorflow.settings(), request.param, threads=1)
    peer.load(weights, tensorflow.parts())
    return tensorflow, peer


def test_losses_are_tffaces(pair):
    tensorflow, peer = pair
    expected, found = tensorflow.losses(), peer.losses()
    assert {name for name in expected if not name.startswith("attention")} == set(found)
    for name, value in found.items():
        assert value == pytest.approx(expected[name], rel=1e-3), name
    iterations.check_losses(tensorflow.name, {"tfface": expected, "PyTorch": found}, 1e-3)


def test_gradients_are_tffaces(pair):
    # Of the discriminator's with the gradient penalty's double backward in it.
    tensorflow, peer = pair
    expected, found = tensorflow.gradients(), peer.gradients()
    for network, gradients in found.items():
        parameters = dict(peer.networks[network].named_parameters())
        theirs = {blocks.parameter_name(name): value for name, value in expected[network].items()}
        assert theirs.keys() == gradients.keys()
        together = np.sqrt(sum(np.sum(value.astype("f8") ** 2) for value in theirs.values()))
        for name, value in gradients.items():
            difference = np.linalg.norm(value - blocks.arranged(theirs[name], parameters[name]).numpy())
            assert difference <= 1e-3 * max(np.linalg.norm(value), 1e-3 * together), (network, name)


def test_an_iteration_updates_everything(pair):
    _, peer = pair
    networks = {**peer.networks, "average": peer.average}
    before = {name: [p.detach().clone() for p in network.parameters()] for name, network in networks.items()}
    terms = peer.iterate()
    assert np.isfinite(list(terms.values())).all() and {"d_loss", "g_loss"} <= terms.keys()
    for name, network in networks.items():
        updated = zip(before[name], network.named_parameters(), strict=True)
        same = {parameter for old, (parameter, new) in updated if torch.equal(old, new.detach())}
        # What is added to every score cancels. The average moves by a thousandth of an update, less than most can show.
        assert same <= {"realism.bias"} or (name == "average" and len(same) < len(before[name])), (name, same)


def test_each_update_of_the_critic_has_its_own_pictures(pair):
    tensorflow, peer = pair
    own = tensorflow.name == "attgan"  # the generator's part is not the critic's there
    assert len(peer.critics()) == 2 and (peer.parts[-1] is peer.critics()[-1]) != own


def test_weights_that_do_not_fit_are_named(tensorflow):
    peer = iteration.Iteration(tensorflow.name, tensorflow.settings(), threads=1)
    weights = tensorflow.weights()
    weights["generator"]["other.kernel"] = np.zeros(3)
    with pytest.raises(ValueError, match="other.weight"):
        peer.load(weights, [])


def test_another_loss_is_not_timed():
    same = {"d_loss": 1.0, "g_loss": 2.0}
    iterations.check_losses("m", {"tfface": {**same, "watched": 3.0}, "PyTorch": same}, 1e-3)
    for other in ({**same, "g_loss": 2.01}, {**same, "g_loss": float("nan")}, {**same, "g_new": 1.0}):
        with pytest.raises(ValueError, match="nothing was timed"):
            iterations.check_losses("m", {"tfface": same, "PyTorch": other}, 1e-3)
