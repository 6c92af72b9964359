"""The real program, started as a test needs it."""

from __future__ import annotations

import os
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chart import Release

# Nothing of the surroundings may change what the program reads.
BARE = {"PATH": os.environ["PATH"]}


def configuration(release: Release, files: dict[str, str], folder: Path) -> Path:
    """config.yml of the release in `folder`, beside all files it names; only their folder is another."""
    text = release.config_text
    server = release.config["server"].get("tls", {})
    contents = {
        release.config.get("privateKeyFile"): files["key"],
        release.config.get("tokenFile"): "a-token",
        server.get("certFile"): files["cert"],
        server.get("keyFile"): files["certKey"],
        release.config.get("github", {}).get("caFile"): files["cert"],
        release.config.get("store", {}).get("passwordFile"): "a-password",
        release.config.get("store", {}).get("caFile"): files["cert"],
    }
    for path, content in contents.items():
        if path:
            target = folder / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content)
            text = text.replace(path, str(target))
    # Written by the program itself: only the folder, which is a volume, is there.
    url = release.config.get("store", {}).get("url", "")
    for path in (release.config.get("logging", {}).get("audit"), url.removeprefix("sqlite://") if url.startswith("sqlite:") else None):
        if path:
            target = folder / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            text = text.replace(path, str(target))
    config = folder / "config.yml"
    config.write_text(text)
    return config


def check_config(binary: Path, config: Path) -> subprocess.CompletedProcess[str]:
    arguments = [binary, "--config", config, "check-config"]
    # As the pods are told.
    environment = BARE | {"CONFIG_END": "required"}
    return subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=30, check=False)


@contextmanager
def started(arguments: list[str | Path], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """The program; told to end, and waited for, at the end."""
    with subprocess.Popen(arguments, env=BARE | environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.stdout.read()


def told(process: subprocess.Popen[str], pattern: str) -> str:
    """What the pattern's group matches in the first line that has it."""
    match = next((match for line in process.stdout if (match := re.search(pattern, line))), None)
    assert match, f"it ended without having said {pattern}"
    return match[1]


ADMIN_ADDRESS = r'"admin_address":"[^"]*:(\d+)"'
ADDRESS = r'"address":"[^"]*:(\d+)"'


@dataclass
class Demo:
    """The demo while it runs."""

    port: str
    # Its configuration, key and certificate.
    folder: Path
    # Of somebody who maintains the team `platform`.
    token: str


@contextmanager
def demo(binary: Path, folder: Path) -> Iterator[Demo]:
    """The demo on a free port, with its files in `folder`."""
    with started([binary, "demo", "--port", "0"], {"TMPDIR": str(folder)}) as process:
        port = told(process, r"localhost:(\d+)")
        told(process, r"^(# mona )")
        token = told(process, r"Authorization: Bearer ([^']+)'")
        (files,) = folder.glob("actions-runner-manager-demo-*")
        yield Demo(port, files, token)


def status(port: str, path: str) -> int:
    """The status of the admin listener's answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
