"""What several tests use."""

from __future__ import annotations

import os
from pathlib import Path

import helm_python as helm
import pytest
import yaml
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


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A key and a certificate. Helm's engine makes them, so no other program is needed."""
    folder = tmp_path_factory.mktemp("keys")
    helm.Chart.create("keys", folder).close()
    for template in (folder / "keys" / "templates").rglob("*.*"):
        template.unlink()
    (folder / "keys" / "templates" / "keys.yaml").write_text(
        '{{ $made := genSelfSignedCert "localhost" nil (list "localhost") 1 }}'
        'key: {{ genPrivateKey "rsa" | quote }}\ncert: {{ $made.Cert | quote }}\ncertKey: {{ $made.Key | quote }}\n'
    )
    with helm.Chart.load(folder / "keys") as chart:
        (rendered,) = (text for text in chart.render({}).values() if "cert:" in text)
    return yaml.safe_load(rendered)
