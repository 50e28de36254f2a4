"""A real Chromium by way of its WebDriver (w3.org/TR/webdriver2), with nothing but the library."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
MISSING = "needs chromium and chromedriver (Debian: apt-get install chromium chromium-driver)"


@dataclass(frozen=True)
class Browser:
    """One window of a browser without a screen."""

    address: str

    def open(self, page: Path, width: int = 1024, height: int = 900, **features: str) -> None:
        """Open a file in a window of this size; ``features`` are those of CSS media."""
        values = [{"name": name.replace("_", "-"), "value": of} for name, of in features.items()]
        self.tell("Emulation.setEmulatedMedia", media="", features=values)
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.tell("Emulation.setDeviceMetricsOverride", **size)
        self._post("/url", {"url": page.as_uri()})

    def run(self, script: str) -> Any:
        """The result of a script; the page's own policy does not bind it."""
        return self._post("/execute/sync", {"script": script, "args": []})

    def tell(self, command: str, **parameters: Any) -> Any:
        """Send a command of the DevTools protocol."""
        return self._post("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def complaints(self) -> list[str]:
        """The console's messages since the last question."""
        return [entry["message"] for entry in self._post("/se/log", {"type": "browser"})]

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        return _ask(f"{self.address}{path}", body)


def _ask(address: str, body: Mapping[str, Any]) -> Any:
    data = json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)["value"]


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """Start a browser, with its profile below this directory."""
    assert DRIVER is not None
    with subprocess.Popen(
        [DRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as driver:
        try:
            address = f"http://127.0.0.1:{_port(driver)}/session"
            arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
            arguments += [f"--user-data-dir={profile}", "--disable-dev-shm-usage"]
            wanted = {
                "goog:chromeOptions": {"args": arguments, "binary": CHROMIUM},
                "goog:loggingPrefs": {"browser": "ALL"},
            }
            session = _ask(address, {"capabilities": {"alwaysMatch": wanted}})
            yield Browser(f"{address}/{session['sessionId']}")
            end = urllib.request.Request(f"{address}/{session['sessionId']}", method="DELETE")
            urllib.request.urlopen(end, timeout=60).close()
        finally:
            driver.terminate()


def _port(driver: subprocess.Popen[str]) -> int:
    assert driver.stdout is not None
    for line in driver.stdout:
        if "successfully" in line:
            return int(line.rstrip(".\n").rpartition(" ")[2])
    raise AssertionError("chromedriver did not start")
