import cv2
import numpy as np

from tfface import sheets

IMAGES = [np.full((16, 16, 3), 40 * i, np.uint8) for i in range(5)]


def test_grid_places_pictures_row_by_row():
    sheet = sheets.grid(IMAGES, columns=3, gap=2)
    assert sheet.shape == (2 * 18 + 2, 3 * 18 + 2, 3) and sheet.dtype == np.uint8
    assert (sheet[2:18, 20:36] == 40).all() and (sheet[20:36, 2:18] == 120).all()
    assert (sheet[20:36, 38:54] == 255).all()  # no sixth picture


def test_labels_make_room_and_leave_ink():
    plain, labelled = sheets.grid(IMAGES, 5, size=64), sheets.grid(IMAGES, 5, ["AU12 4.0\nyaw 3"] * 5, size=64)
    assert labelled.shape[0] > plain.shape[0] + 20 and labelled.shape[1] == plain.shape[1]
    assert (labelled[70:] < 128).any()


def test_gray_and_other_sizes_are_fitted(tmp_path):
    sheet = sheets.grid([np.full((8, 8), 9, np.uint8), IMAGES[1]], 2, size=32)
    sheets.save(tmp_path / "new" / "sheet.png", sheet)
    assert np.array_equal(cv2.imread(str(tmp_path / "new" / "sheet.png"))[..., ::-1], sheet)
    assert (sheet[-20, 10] == 9).all() and (sheet[-20, 50] == 40).all()
