"""Every model that edits can be asked about a photo, by what `tfface edit --help` gives as an example."""

import sys
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from tfface import edit_command, models, sweeps, tasks
from tfface.editing import Editor
from tfface.errors import InputError
from tfface.faces import Landmarker

sys.path.insert(0, str(Path(__file__).parent))
import small  # noqa: E402


@pytest.fixture(scope="module")
def landmarker():
    return Landmarker()


@pytest.fixture(scope="module")
def photo():
    return data.astronaut()


@pytest.mark.parametrize("name", [name for name in models.names() if models.get(name).task])
def test_a_photo_is_edited_by_the_tasks_own_example(name, landmarker, photo):
    model = small.build(name)
    editor, task = Editor(model, landmarker), tasks.get(model.task)
    request = edit_command.parse(model, [task.example] if task.example else [], None, relative=False)
    faces = editor.find(photo)
    for keep_others in (True, False):
        edited = editor.edit(photo, faces, request.series[0], keep_others, relative=task.changes_by)
        assert edited.dtype == np.uint8
        assert edited.shape == (photo.shape if task.pasted else (256, 256, 3))
        if task.pasted:
            np.testing.assert_array_equal(edited[300:], photo[300:])  # the suit is no face
    if not task.sweepable:
        return
    swept = task.example.partition("=")[0]
    request = edit_command.parse(model, [], sweeps.parse(f"{swept}=0:1:2"), relative=False)
    assert [list(wanted) for wanted in request.series] == [[swept]] * 2
    assert len(list(editor.frames(photo, faces, request.series))) == 2
    with pytest.raises(InputError, match=task.flag):
        task.parse(["no_such_name=1"], model)
