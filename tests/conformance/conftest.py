import pytest

# Tens of seconds each, most of it spent on tracing: two processors and bfloat16 for the models with the largest graphs.
SLOW = ("test_two_replicas_train_as_one_device_does", "test_mixed_precision_trains")
LARGE = ("rotator", "tpgan")


@pytest.hookimpl(tryfirst=True)  # before pytest deselects by marks
def pytest_collection_modifyitems(items):
    for item in items:
        name = getattr(item, "callspec", None) and item.callspec.params.get("name")
        if getattr(item, "originalname", None) in SLOW and name in LARGE:
            item.add_marker(pytest.mark.slow)
