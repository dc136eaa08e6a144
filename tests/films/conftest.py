"""Fixtures of films: one session, whose networks are made once."""

import pytest

from tfstyle.experiment.session import Session


@pytest.fixture(scope="package")
def session():
    """Returns the session of all films."""
    return Session()
