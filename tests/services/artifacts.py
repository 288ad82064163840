"""Servers that are published as Java artifacts: fetched once with Maven, then found in the user's cache."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.services.server import Unavailable

POM = Path(__file__).with_name("pom.xml")
DOWNLOAD_TIMEOUT_S = 480.0
INSTALL = "install it (on Debian: apt-get install openjdk-17-jre-headless maven)"


def java() -> str:
    """The Java to run servers with. Raises Unavailable."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if found is None:
        raise Unavailable(f"there is no Java; {INSTALL}")
    return found


def class_path(profile: str) -> str:
    """The class path of one profile of pom.xml, fetched at first need. Raises Unavailable."""
    # Another pom.xml is another folder, so that a changed version is fetched.
    version = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    folder = _cache() / f"{profile}-{version}"
    if not folder.exists():
        _fetch(profile, folder)
    return f"{folder}/*"


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "eventhub-tests"


def _fetch(profile: str, folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise Unavailable(f"there is no Maven to fetch it with; {INSTALL}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside its place and moved there whole: a half-fetched folder is never used, and two runs may fetch at once.
    incoming = Path(tempfile.mkdtemp(prefix=f"{profile}-incoming-", dir=folder.parent))
    try:
        goal = ("dependency:copy-dependencies", f"-DoutputDirectory={incoming}")
        result = subprocess.run(
            [maven, "-q", "-B", "-f", POM, "-P", profile, *goal],
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_TIMEOUT_S,
            check=False,
        )
        if result.returncode:
            raise Unavailable(f"Maven could not fetch it:\n{(result.stdout + result.stderr)[-2000:]}")
        if not folder.exists():
            incoming.rename(folder)
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"Maven did not fetch it within {DOWNLOAD_TIMEOUT_S:.0f} s") from error
    except OSError:
        if not folder.exists():  # else the other run was first
            raise
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
