import math

import numpy as np
import pytest

from tfface import metrics, scoring
from tfface.conventions import ACTION_UNITS


def case(title="smile", everything=False, value=0, asked=None, judged=None, descriptors=None, oracle=100):
    """A case of flat 16 px pictures: the source is 90, the edit 90 + value, the truth `oracle` (None for a photo)."""

    def flat(grey):
        return np.full((16, 16, 3), grey, np.uint8)

    pictures = {"edit": flat(90 + value), "copy": flat(90)} | ({} if oracle is None else {"oracle": flat(oracle)})
    labels = {} if asked is None else {"action_units": np.full(17, asked / 5, np.float32)}
    result = scoring.Case(title, everything, {}, None, None, labels, pictures)
    for kind, unit in (judged or {}).items():
        result.judged[kind] = {"action_units": np.full(17, float(unit))}
    result.descriptors = {kind: np.array(value, float) for kind, value in (descriptors or {}).items()}
    return result


def test_likeness_and_locality_of_a_case_by_hand():
    one = case(value=5)
    one.pictures["edit"][:, 8:] += 15  # 5 on the left half, 20 on the right
    mask = np.zeros((16, 16), bool)
    mask[:, 8:] = True
    one.compare(mask)
    assert one.likeness["copy"]["psnr"] == pytest.approx(20 * math.log10(255 / 10))
    assert one.likeness["oracle"] == {"psnr": math.inf, "ssim": pytest.approx(1)}
    assert one.likeness["edit"]["ssim"] == metrics.ssim(one.pictures["edit"], one.pictures["oracle"])
    assert one.locality == {"edit": pytest.approx(0.8), "oracle": pytest.approx(0.5)}
    photo = case(oracle=None)
    photo.compare(None)
    assert photo.likeness == {} and photo.locality == {}


def test_scores_of_each_kind_by_hand():
    cases = [
        case(value=5, asked=2, judged={"edit": 1, "copy": 0, "oracle": 2}),
        case("other", True, 10, 1, {"edit": 1, "copy": 3, "oracle": 1}, dict(edit=[3, 4], copy=[0, 0], oracle=[1, 0])),
        case("other", True, 0, 3, {"edit": 2, "copy": 1, "oracle": 3}, dict(edit=[0, 1], copy=[0, 0], oracle=[0, 1])),
    ]
    for one in cases:
        one.compare(None)
    edit, copy, oracle = (scoring.overall(cases, kind) for kind in scoring.KINDS)
    # The second edit is its true answer: it has no finite PSNR and does not count there.
    assert edit["psnr"] == pytest.approx((20 * math.log10(255 / 5) + 20 * math.log10(255 / 10)) / 2)
    assert oracle["psnr"] is None and oracle["ssim"] == pytest.approx(1)
    # Only the requests for everything: asked 1, 3; edits judged 1, 2; copies 3, 1.
    assert edit["au_icc"]["AU12"] == pytest.approx(metrics.icc31([[1, 1], [2, 3]])) == pytest.approx(0.8)
    assert copy["au_icc"]["mean"] == pytest.approx(metrics.icc31([[3, 1], [1, 3]])) == pytest.approx(-1)
    assert oracle["au_icc"]["AU45"] == pytest.approx(1)
    assert (edit["au_mae"]["AU01"], copy["au_mae"]["mean"], oracle["au_mae"]["mean"]) == pytest.approx((0.5, 2, 0))
    assert edit["au_error"] == pytest.approx((1 + 0 + 1) / 3)
    assert (edit["identity_distance"], copy["identity_distance"], oracle["identity_distance"]) == (3, 0, 1)
    assert edit["kid"] == pytest.approx(metrics.kid([[3, 4], [0, 1]], [[1, 0], [0, 1]]))
    assert oracle["kid"] == pytest.approx(0)
    assert edit["locality"] is None
    cases[1].asked["action_units"][0] = cases[2].asked["action_units"][0] = 0.5
    constant = scoring.overall(cases, "edit")
    assert constant["au_icc"]["AU01"] is None and constant["au_icc"]["mean"] == pytest.approx(0.8)
    assert list(edit["au_icc"]) == [*ACTION_UNITS, "mean"]
    # 0.8 of 1, and every unit is above half.
    assert scoring.share_of_oracle({"edit": edit, "oracle": oracle}) == (pytest.approx(0.8), 17, 17)
    by_request = scoring.by_request(cases)
    assert list(by_request) == ["smile", "other"]
    assert by_request["smile"]["edit"]["au_error"] == 1 and by_request["smile"]["oracle"]["identity_distance"] is None
    assert by_request["smile"]["copy"]["psnr"] == pytest.approx(20 * math.log10(255 / 10))


def test_photos_have_only_what_can_be_known_of_them():
    cases = [case(oracle=None, judged={"edit": 1, "copy": 0}), case(oracle=None, judged={"edit": 2, "copy": 0})]
    edit = scoring.overall(cases, "edit")
    assert scoring.overall(cases, "oracle") is None
    assert (
        edit["psnr"] is edit["kid"] is edit["identity_distance"] is edit["au_error"] is edit["au_icc"]["mean"] is None
    )
    assert scoring.share_of_oracle({"edit": edit, "oracle": None}) is None
    assert [name for name, _ in scoring.gallery(cases)] == ["photo", "photo"]


def test_the_gallery_ranks_by_what_is_gained_over_the_copy():
    cases = [case(value=value) for value in (0, 2, 4, 6, 8, 1, 3, 5, 7)]
    for one in cases:
        one.compare(None)
    shown = [(name, int(one.pictures["edit"][0, 0, 0]) - 90) for name, one in scoring.gallery(cases, count=2)]
    assert shown == [("best", 8), ("best", 7), ("median", 4), ("median", 3), ("worst", 1), ("worst", 0)]


def test_merging_adds_to_each_part():
    scores = {"edit": {"psnr": 1.0}, "by_request": {"smile": {"edit": {"psnr": 2.0}}}}
    scoring.merge(scores, {"edit": {"accuracy": 0.5}, "by_request": {"smile": {"asked": 3}}, "rank1": {"30": 1}})
    assert scores == {
        "edit": {"psnr": 1.0, "accuracy": 0.5},
        "by_request": {"smile": {"edit": {"psnr": 2.0}, "asked": 3}},
        "rank1": {"30": 1},
    }


def test_the_lines_that_commands_print():
    none = {"psnr": None, "ssim": None, "au_icc": {"mean": None}, "identity_distance": None}
    edit = {"psnr": 30.123, "ssim": 0.9, "au_icc": {"mean": 0.5}, "identity_distance": 0.25}
    copy = {"psnr": 25.0, "ssim": 0.8, "au_icc": {"mean": 0.0}, "identity_distance": 0.0}
    oracle = none | {"ssim": 1.0, "au_icc": {"mean": 0.8}}
    assert scoring.summary({"edit": edit, "copy": copy, "oracle": oracle}) == [
        "PSNR        30.12 dB to the true pictures (unedited 25.00)",
        "SSIM        0.9000 to the true pictures (unedited 0.8000, true 1.0000)",
        "AU ICC      0.500 of judged and asked intensities (unedited 0.000, true 0.800)",
        "Identity    0.250 from the source (unedited 0.000)",
    ]
    photos = none | {"identity_distance": 0.3}
    assert scoring.summary({"edit": photos, "copy": none, "oracle": None}) == ["Identity    0.300 from the source"]
