"""The program's demo, to be looked at with a browser."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target" / "debug" / "actions-runner-manager"


@dataclass
class Demo:
    """A running demo: where it is, the certificate to trust, and people's tokens by login."""

    url: str
    certificate: str
    tokens: dict[str, str]


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """Starts the demo on a free port, and ends it."""
    folder = tmp_path_factory.mktemp("demo")
    with subprocess.Popen(
        [PROGRAM, "demo", "--port", "0"], env={"TMPDIR": str(folder)}, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield read_tour(process.stdout)
        finally:
            process.terminate()
    assert process.returncode == 0


def read_tour(lines):
    """What the demo prints: a line about a person, then a curl line with that person's token."""
    who, tokens = None, {}
    for line in lines:
        if line.startswith("# "):
            who = line.split()[1]
        elif line.startswith("curl "):
            certificate, token, host = re.search(
                r"--cacert '([^']+)' .*Bearer ([^']+)' '(https://[^/]+)/", line
            ).groups()
            tokens[who] = token
            if "../../user" in line:
                return Demo(host, certificate, tokens)
    raise AssertionError("the demo ended before its tour did")
