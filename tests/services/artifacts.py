"""Servers that are published as Java artifacts: fetched once with Maven, then found in the user's cache."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from tests.services.server import Unavailable

POM = Path(__file__).with_name("pom.xml")
DOWNLOAD_TIMEOUT_S = 480.0
INSTALL = "install it (on Debian: apt-get install default-jre-headless maven)"
OLDEST_JAVA = 17


def java() -> str:
    """The Java to run servers with. Raises Unavailable."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if found is None:
        raise Unavailable(f"there is no Java; {INSTALL}")
    if (version := _java_version(found)) < OLDEST_JAVA:
        raise Unavailable(f"{found} is Java {version}, and Java {OLDEST_JAVA} or newer is needed; {INSTALL}")
    return found


def class_path(profile: str) -> str:
    """The class path of one profile of pom.xml, fetched at first need. Raises Unavailable."""
    folder = _cache() / f"{profile}-{_version(profile)}"
    if not folder.exists():
        _fetch(profile, folder)
    return f"{folder}/*"


@cache
def _java_version(java: str) -> int:
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(?:1\.)?(\d+)', said)  # Java 8 calls itself 1.8
    if found is None:
        raise Unavailable(f"{java} does not say which version it is: {said.strip()[:200]}")
    return int(found[1])


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "eventhub-tests"


def _version(profile: str) -> str:
    """Another text of the profile is another folder, so that what was changed is fetched."""
    maven = {"m": "http://maven.apache.org/POM/4.0.0"}
    for element in ElementTree.parse(POM).iterfind("m:profiles/m:profile", maven):
        if element.findtext("m:id", namespaces=maven) == profile:
            return hashlib.sha256(ElementTree.tostring(element)).hexdigest()[:12]
    raise ValueError(f"{POM} has no profile {profile}")


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
