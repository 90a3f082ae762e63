import os

from tfface import environment


def test_variables_are_set_unless_they_are(monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "1")
    environment.prepare()
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "1"
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL")
    environment.prepare()
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "3"
