"""The OpenFace import: layouts by name, one row per picture, reasons for the rest, crops that show the face."""

import csv

import cv2
import numpy as np
import pytest
import skimage.data

from data_tools import openface
from tfface import alignment, conventions
from tfface.data import records

AUS = [f"{name}_r" for name in conventions.ACTION_UNITS]


def picture(path, colour=90, size=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((size, size, 3), colour, np.uint8)
    image[:, size // 2 :] = 200
    cv2.imwrite(str(path), image)


def landmarks(centre=(50, 45), scale=12.0, turn=0.0):
    """68 points whose eyes and nose base say where the face is; the rest only has to be inside."""
    points = np.zeros((68, 2))
    points[36:42], points[42:48], points[31:36] = (-1, 0), (1, 0), (0, 1.55)
    points[:17] = np.stack([np.linspace(-1.5, 1.5, 17), 2.5 - np.linspace(-1.4, 1.4, 17) ** 2], 1)
    c, s = np.cos(turn), np.sin(turn)
    return points @ np.array([[c, s], [-s, c]]) * scale + centre


def row(frame, confidence=0.98, success=1, au=1.5, points=None, pose=None):
    """One FeatureExtraction row and its header; landmarks and pose only if given."""
    cells = {"frame": frame, "face_id": 0, "timestamp": 0.1, "confidence": confidence, "success": success}
    if pose is not None:
        cells |= dict(
            zip(["pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz"], [0, 0, 400, *pose], strict=True)
        )
    if points is not None:
        cells |= {f"x_{i}": p[0] for i, p in enumerate(points)} | {f"y_{i}": p[1] for i, p in enumerate(points)}
    cells |= {name: au for name in AUS} | {name.replace("_r", "_c"): 1 for name in AUS}
    return cells


def write_csv(path, rows, separator=", "):
    path.write_text("\n".join([separator.join(rows[0])] + [separator.join(map(str, r.values())) for r in rows]) + "\n")


def run(*arguments):
    return openface.main([str(a) for a in arguments])


def rejects(directory):
    with open(directory / "rejects.csv", newline="") as file:
        return {(r["file"], int(r["line"])): r["reason"] for r in csv.DictReader(file)}


@pytest.mark.parametrize("separator", [", ", ","])
def test_video_rows_are_matched_to_frames_by_number(tmp_path, separator, capsys):
    for number in (1, 4, 7, 10, 13):
        picture(tmp_path / f"frames/clip_{number:04d}.png")
    (tmp_path / "frames/clip_0013.png").write_bytes(b"no picture")
    inside = landmarks()
    rows = [row(n, au=n / 10, points=inside) for n in range(1, 15)]
    rows[3] = row(4, confidence=0.5, points=inside)
    rows[6] = row(7, success=0, points=inside)
    rows[9] = row(10, confidence=0.9, au=1, points=inside)
    rows.append(row(10, confidence=0.95, au=2, points=inside))  # a second, surer face of frame 10
    write_csv(tmp_path / "clip.csv", rows, separator)
    assert (
        run("--csv", tmp_path / "clip.csv", "--frames", tmp_path / "frames", "-o", tmp_path / "out", "--image-size", 32)
        == 0
    )
    dataset = records.open_dataset(tmp_path / "out")
    kept = list(dataset)
    assert [r["source"] for r in kept] == ["clip/clip_0001.png", "clip/clip_0010.png"]
    assert [r["action_units"][0] for r in kept] == pytest.approx([0.1, 2])
    assert [r["confidence"] for r in kept] == pytest.approx([0.98, 0.95])
    assert {r["identity"] for r in kept} == {0}
    left_out = rejects(tmp_path / "out")
    assert left_out["clip.csv", 3] == "no picture"
    assert left_out["clip.csv", 5] == "confidence 0.5 is below 0.88"
    assert left_out["clip.csv", 8] == "success is 0"
    assert left_out["clip.csv", 11] == "another face of the picture is surer"
    assert left_out["clip.csv", 14] == "the picture cannot be read"
    assert len(left_out) + len(kept) == len(rows)
    assert "no picture" in capsys.readouterr().out


def test_crop_landmarks_and_pose_turn_with_the_face(tmp_path):
    turn = np.deg2rad(20)  # clockwise in the picture: our roll is -20, OpenFace's pose_Rz +20 degrees
    points = landmarks(turn=turn)
    picture(tmp_path / "0001.png")
    write_csv(tmp_path / "clip.csv", [row(1, points=points, pose=(0, 0, turn))])
    assert run("--csv", tmp_path / "clip.csv", "-o", tmp_path / "out", "--image-size", 64) == 0
    (record,) = records.open_dataset(tmp_path / "out")
    matrix = alignment.alignment_matrix(points + 0.5, 64)
    np.testing.assert_allclose(record["landmarks"], alignment.apply(matrix, points + 0.5), atol=1e-4)
    left, right = record["landmarks"][36:42].mean(0), record["landmarks"][42:48].mean(0)
    assert left[1] == pytest.approx(right[1], abs=1e-3) and left[0] < 32 < right[0]
    np.testing.assert_allclose(record["pose"], 0, atol=1e-4)
    # The picture's edge between dark and bright runs where the landmarks say: through the face's middle, turned back.
    edge = alignment.apply(matrix, [[50, 20], [50, 70]])
    along = (edge[1] - edge[0]) / np.linalg.norm(edge[1] - edge[0])
    across = np.array([-along[1], along[0]]) * 4
    for place in np.linspace(0.3, 0.7, 5):
        point = edge[0] + place * (edge[1] - edge[0])
        (x0, y0), (x1, y1) = np.floor([point + across, point - across]).astype(int)
        assert record["image"][y0, x0].mean() < 100 and record["image"][y1, x1].mean() > 190


def test_several_videos_each_with_its_folder(tmp_path, capsys):
    (tmp_path / "csv").mkdir()
    for name in ("a", "b"):
        picture(tmp_path / f"frames/{name}/0001.png")
        write_csv(tmp_path / f"csv/{name}.csv", [row(1, points=landmarks())])
    (tmp_path / "csv/notes.csv").write_text("name,age\nme,7\n")
    assert (
        run("--csv", tmp_path / "csv", "--frames", tmp_path / "frames", "-o", tmp_path / "out", "--image-size", 32) == 0
    )
    kept = list(records.open_dataset(tmp_path / "out").records(images=False))
    assert [(r["source"], r["identity"]) for r in kept] == [("a/0001.png", 0), ("b/0001.png", 1)]
    assert run("--csv", tmp_path / "csv", "--frames", tmp_path / "frames/a", "-o", tmp_path / "out2") == 2
    assert "each needs its own folder" in capsys.readouterr().err


def video(path, greys, rate=25):
    """A video whose Nth frame is `greys[N - 1]` to the left and 200 to the right."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), rate, (100, 100))
    for grey in greys:
        frame = np.full((100, 100, 3), grey, np.uint8)
        frame[:, 50:] = 200
        writer.write(frame)
    writer.release()


def timed(number, rate=25, **more):
    return row(number, points=landmarks(), **more) | {"timestamp": round((number - 1) / rate, 3)}


def test_frames_come_from_the_video(tmp_path, capsys):
    greys = [12 * n for n in range(1, 11)]
    video(tmp_path / "clip.avi", greys)
    rows = [timed(n) for n in range(1, 13)]
    rows[2], rows[5] = timed(3, confidence=0.2), timed(6, success=0)
    rows.append(rows.pop(1))  # frame 2 last: the video is read again from its start
    write_csv(tmp_path / "clip.csv", rows)
    out = tmp_path / "out"
    assert run("--csv", tmp_path / "clip.csv", "--frames", tmp_path / "clip.avi", "-o", out, "--image-size", 32) == 0
    kept = list(records.open_dataset(out))
    frames = [1, 4, 5, 7, 8, 9, 10, 2]
    assert [r["source"] for r in kept] == [f"clip/clip.avi#{n - 1:06d}" for n in frames]
    assert [r["image"][16, 5].mean() for r in kept] == pytest.approx([greys[n - 1] for n in frames], abs=2)
    why = rejects(out)
    assert why["clip.csv", 3] == "confidence 0.2 is below 0.88" and why["clip.csv", 6] == "success is 0"
    assert why["clip.csv", 11] == why["clip.csv", 12] == "the video has no such frame"
    assert len(kept) + len(why) == 12 and "the video has no such frame" in capsys.readouterr().out


def test_a_folder_of_videos_named_like_their_csvs(tmp_path, capsys):
    (tmp_path / "csv").mkdir()
    for name, grey in (("a", 60), ("b", 120)):
        video(tmp_path / f"videos/{name}.avi", [grey] * 4)
        write_csv(tmp_path / f"csv/{name}.csv", [timed(n) for n in range(1, 5)])
    command = ["--csv", tmp_path / "csv", "--every", 3, "--image-size", 32]
    assert run(*command, "--frames", tmp_path / "videos", "-o", tmp_path / "out") == 0
    kept = list(records.open_dataset(tmp_path / "out"))
    assert [(r["source"], r["identity"]) for r in kept] == [
        ("a/a.avi#000000", 0), ("a/a.avi#000003", 0), ("b/b.avi#000002", 1),
    ]  # fmt: skip
    assert [r["image"][16, 5].mean() for r in kept] == pytest.approx([60, 60, 120], abs=2)
    assert run(*command, "--frames", tmp_path / "videos/a.avi", "-o", tmp_path / "out2") == 2
    assert "one video, but several CSVs" in capsys.readouterr().err
    # Beside its CSV OpenFace leaves a video that it has drawn on: never taken by itself.
    video(tmp_path / "csv/a.avi", [60] * 4)
    assert run("--csv", tmp_path / "csv/a.csv", "-o", tmp_path / "out2") == 2
    assert "no picture" in capsys.readouterr().err and not (tmp_path / "out2").exists()


def test_another_video_than_the_csvs(tmp_path, capsys):
    video(tmp_path / "slow.avi", [90] * 3, rate=10)
    write_csv(tmp_path / "clip.csv", [timed(n) for n in range(1, 4)])
    (tmp_path / "broken.avi").write_bytes(b"no video")
    for name, message in (("slow.avi", "10 frames a second, but the CSV's times say 25"), ("broken.avi", "cannot be")):
        assert run("--csv", tmp_path / "clip.csv", "--frames", tmp_path / name, "-o", tmp_path / "out") == 2
        error = capsys.readouterr().err
        assert name in error and message in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_faces_that_openface_cut_out(tmp_path):
    """Their landmarks and pose are not those of the CSV, and each face of a frame has a picture of its own."""
    (tmp_path / "clip_aligned").mkdir()
    portrait = cv2.resize(skimage.data.astronaut()[:220, 110:340], (112, 112), interpolation=cv2.INTER_AREA)
    for face in (0, 1):
        cv2.imwrite(str(tmp_path / f"clip_aligned/frame_det_0{face}_000001.bmp"), portrait[..., ::-1])
    rows = [row(1, au=face, points=landmarks(), pose=(0, 0.5, 0.3)) | {"face_id": face} for face in (0, 1)]
    write_csv(tmp_path / "clip.csv", rows)
    assert run("--csv", tmp_path / "clip.csv", "-o", tmp_path / "out") == 0
    kept = list(records.open_dataset(tmp_path / "out"))
    assert [r["source"] for r in kept] == [f"clip/frame_det_0{face}_000001.bmp" for face in (0, 1)]
    assert [r["action_units"][0] for r in kept] == [0, 1]
    assert np.abs(kept[0]["pose"]).max() < 20  # she looks into the camera; the CSV says 29 degrees
    left, right = kept[0]["landmarks"][36:42].mean(0), kept[0]["landmarks"][42:48].mean(0)
    assert abs(left[1] - right[1]) < 2 and right[0] - left[0] > 30


def test_every_and_limit(tmp_path):
    for number in range(1, 11):
        picture(tmp_path / f"{number:04d}.png")
    write_csv(tmp_path / "clip.csv", [row(n, points=landmarks()) for n in range(1, 11)])
    assert (
        run("--csv", tmp_path / "clip.csv", "-o", tmp_path / "out", "--every", 3, "--limit", 3, "--image-size", 16) == 0
    )
    kept = [r["source"] for r in records.open_dataset(tmp_path / "out").records(images=False)]
    assert kept == [f"clip/{n:04d}.png" for n in (1, 4, 7)]


def test_landmarks_outside_the_picture_and_missing_units(tmp_path):
    picture(tmp_path / "0001.png")
    picture(tmp_path / "0002.png")
    rows = [row(1, points=landmarks(centre=(400, 45))), row(2, points=landmarks())]
    for cells in rows:
        del cells["AU45_r"]
    write_csv(tmp_path / "clip.csv", rows)
    assert run("--csv", tmp_path / "clip.csv", "-o", tmp_path / "out", "--image-size", 16) == 0
    (record,) = records.open_dataset(tmp_path / "out")
    assert np.isnan(record["action_units"][-1]) and not np.isnan(record["action_units"][:-1]).any()
    assert rejects(tmp_path / "out") == {("clip.csv", 2): "the landmarks lie outside the picture"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("frame, confidence, success, pose_Rx\n1, 1, 1, 0\n", "no AU12_r column"),
        ("time, confidence, AU12_r\n1, 1, 1\n", "no frame or face column"),
        ("", "no confidence column"),
        ("frame, confidence, success, AU12_r\n1, 0.9, 1, much\n", "line 2: not a row of this header"),
        ("frame, confidence, success, AU12_r\n1, 0.9\n", "line 2: not a row of this header"),
        ("frame, confidence, success, AU12_r\n", "no row can be used: no rows"),
        ("frame, confidence, success, AU12_r\n1, 0.9, 1, 2\n", "no row can be used: 1 x no picture"),
        ("frame, confidence, success, AU12_r\n1, nan, 1, 2\n", "no row can be used: 1 x confidence is below 0.88"),
    ],
)
def test_bad_files_end_with_one_line_and_nothing_written(tmp_path, capsys, content, message):
    (tmp_path / "clip.csv").write_text(content)
    assert run("--csv", tmp_path / "clip.csv", "-o", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and "clip.csv" in error
    assert not (tmp_path / "out").exists()


def test_bad_arguments(tmp_path, capsys):
    write_csv(tmp_path / "clip.csv", [row(1, points=landmarks())])
    for arguments in (
        ("--csv", tmp_path / "nothing.csv"),
        ("--csv", tmp_path / "clip.csv", "--frames", tmp_path / "nothing"),
        ("--csv", tmp_path / "clip.csv", "--every", 0),
        ("--csv", tmp_path / "clip.csv", "--min-confidence", 88),
    ):
        assert run(*arguments, "-o", tmp_path / "out") == 2
        assert capsys.readouterr().err.startswith("error: ")
    assert not (tmp_path / "out").exists()


# --- real files -----------------------------------------------------------------------------------------------------
def test_real_clip(real_data, tmp_path):
    folder = real_data / "openface/clip_00116"
    out = tmp_path / "out"
    assert run("--csv", folder / "00116.csv", "--frames", folder / "frames", "-o", out, "--every", 8) == 0
    kept = list(records.open_dataset(out))
    assert len(kept) == 21 and len(rejects(out)) == 332
    assert [int(r["source"][6:10]) % 3 for r in kept] == [1] * 21
    for record in kept:
        assert not np.isnan(record["action_units"]).any()
        # Skin is where the cheeks are, and both eyes are darker than the skin between them.
        eyes = [record["landmarks"][s].mean(0) for s in (slice(36, 42), slice(42, 48))]
        assert np.abs(np.array(eyes)[:, 1] - 40).max() < 12
        gray = cv2.GaussianBlur(record["image"].mean(2).astype(np.float32), (5, 5), 0)
        bridge = gray[tuple(record["landmarks"][27].astype(int)[::-1])]
        assert all(gray[tuple(eye.astype(int)[::-1])] < bridge for eye in eyes)


def test_real_clip_as_a_video(real_data, tmp_path):
    """The clip's pictures as a video: the same rows as from the folder, the same faces but for the video's own loss."""
    folder = real_data / "openface/clip_00116"
    numbers = range(1, 62, 3)
    with open(folder / "00116.csv", newline="") as file:
        names, *lines = [[cell.strip() for cell in line] for line in csv.reader(file)]
    frame, time = names.index("frame"), names.index("timestamp")
    for place, number in enumerate(numbers):  # the video has these pictures alone, at a third of the rate
        lines[number - 1][frame] = str(place + 1)
    rows = [dict(zip(names, lines[number - 1], strict=True)) for number in numbers]
    assert [float(r["timestamp"]) for r in rows] == pytest.approx([0.12 * place for place in range(len(rows))])
    assert names[time] == "timestamp"
    write_csv(tmp_path / "clip.csv", rows)
    writer = cv2.VideoWriter(str(tmp_path / "clip.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 25 / 3, (224, 224))
    for number in numbers:
        writer.write(cv2.imread(str(folder / f"frames/{number:04d}.jpg")))
    writer.release()
    flags = ["--csv", tmp_path / "clip.csv", "--every", 4]
    assert run(*flags, "--frames", tmp_path / "clip.mp4", "-o", tmp_path / "video") == 0
    kept = list(records.open_dataset(tmp_path / "video"))
    assert [r["source"] for r in kept] == [f"clip/clip.mp4#{place:06d}" for place in range(0, 21, 4)]
    command = ["--csv", folder / "00116.csv", "--frames", folder / "frames", "--every", 4, "--limit", 6]
    assert run(*command, "-o", tmp_path / "pictures") == 0
    for record, other in zip(kept, records.open_dataset(tmp_path / "pictures"), strict=True):
        np.testing.assert_allclose(record["landmarks"], other["landmarks"], atol=1e-3)
        np.testing.assert_allclose(record["pose"], other["pose"], atol=1e-3)
        np.testing.assert_array_equal(record["action_units"], other["action_units"])
        assert np.abs(record["image"].astype(int) - other["image"]).mean() < 4


def test_real_photos_without_landmarks(real_data, tmp_path):
    assert run("--csv", real_data / "openface/images", "-o", tmp_path / "out") == 0
    kept = list(records.open_dataset(tmp_path / "out"))
    assert [r["source"] for r in kept] == [f"N_0000000021_0056{n}.jpg" for n in (2, 3, 4, 5)]
    assert kept[0]["action_units"][conventions.ACTION_UNITS.index("AU12")] == pytest.approx(4.14)
    assert all(r["identity"] == -1 for r in kept)
    assert [bool(r["pose"][0] > 0) for r in kept] == [False, False, True, False]  # seen in the pictures


def test_real_clip_with_action_units_alone(real_data, tmp_path):
    """The layout of 5 + 35 columns: tfface finds the faces and the pose, which OpenFace's own pose agrees with."""
    with open(real_data / "openface/clip_00116/00116.csv", newline="") as file:
        rows = [{k: v for k, v in r.items() if k} for r in csv.DictReader(file, skipinitialspace=True)][:60]
    names = ["frame", "face_id", "timestamp", "confidence", "success", *[n for n in rows[0] if n.startswith("AU")]]
    assert len(names) == 40
    write_csv(tmp_path / "00116.csv", [{name: r[name] for name in names} for r in rows])
    frames = real_data / "openface/clip_00116/frames"
    assert run("--csv", tmp_path / "00116.csv", "--frames", frames, "-o", tmp_path / "out", "--every", 5) == 0
    kept = list(records.open_dataset(tmp_path / "out"))
    assert [r["source"] for r in kept] == [f"00116/{n:04d}.jpg" for n in (1, 16, 31, 46)]
    for record in kept:
        row = rows[int(record["source"][6:10]) - 1]
        assert record["action_units"][0] == pytest.approx(float(row["AU01_r"]))
        theirs = conventions.pose_from_openface(*(float(row[f"pose_R{axis}"]) for axis in "xyz"))
        assert np.abs(np.array(record["pose"][:2]) - theirs[:2]).max() < 12
