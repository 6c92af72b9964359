"""What several tests use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from chart import ROOT, VARIANTS, Release, values_of


@pytest.fixture(params=VARIANTS, ids=lambda file: file.stem)
def variant(request: pytest.FixtureRequest) -> Release:
    """Each file of ci/, rendered."""
    return Release(values_of(request.param))


@pytest.fixture(scope="session")
def binary() -> Path:
    """The real program. ARM_BINARY names another than the debug build."""
    path = Path(os.environ.get("ARM_BINARY", ROOT / "target" / "debug" / "actions-runner-manager"))
    assert path.exists(), f"{path} is missing: run `cargo build`, or set ARM_BINARY"
    return path
