"""The mutations of `tools/mutate.py` fit the code as it is."""

import pytest

from tests import ROOT
from tools import mutate


@pytest.mark.parametrize("mutation", mutate.MUTATIONS.values())
def test_mutation_is_of_one_place_and_names_tests(mutation):
    text = (ROOT / "tfstyle" / mutation.path).read_text()
    assert text.count(mutation.old) == 1
    for name in mutation.tests.split():
        assert (ROOT / "tests" / name).exists()
