"""The tools of the docs site: the script that draws diagrams, and the server that shows the site."""

import tarfile
import threading
import urllib.request
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from tools import diagrams, site


def test_diagrams_are_optional_without_npm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "conf.py").write_text('mermaid_version = "1.2.3"\n')
    monkeypatch.setattr(diagrams, "ROOT", tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    assert diagrams.main() == 0
    assert capsys.readouterr().out == ("npm isn't installed, so browsers will load the diagrams' script from a CDN\n")


def test_of_the_diagrams_script_only_what_a_browser_loads_is_unpacked(tmp_path: Path) -> None:
    files = ("mermaid.esm.min.mjs", "mermaid.js", "chunks/mermaid.esm.min/a.mjs", "chunks/mermaid.esm.min/a.mjs.map")
    for name in files:
        path = tmp_path / "package" / "dist" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    with tarfile.open(tmp_path / "mermaid.tgz", "w:gz") as packed:
        packed.add(tmp_path / "package", "package")
    diagrams.unpack(tmp_path / "mermaid.tgz", tmp_path / "made")
    found = {
        path.relative_to(tmp_path / "made").as_posix() for path in (tmp_path / "made").rglob("*") if path.is_file()
    }
    assert found == {"mermaid/mermaid.esm.min.mjs", "mermaid/chunks/mermaid.esm.min/a.mjs"}


def test_the_docs_site_is_served_on_this_machine_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C ends it."""
    (tmp_path / "index.html").write_text("the front page")
    monkeypatch.setattr(site, "ROOT", tmp_path)
    monkeypatch.setattr(site, "SITE", ".")
    pages: list[str] = []

    def serve_once(server: ThreadingHTTPServer) -> None:
        reader = threading.Thread(target=lambda: pages.append(read(f"http://127.0.0.1:{server.server_port}/")))
        reader.start()
        server.handle_request()
        reader.join()
        raise KeyboardInterrupt

    monkeypatch.setattr(ThreadingHTTPServer, "serve_forever", serve_once)
    site.serve(0)
    assert pages == ["the front page"]
    assert capsys.readouterr().out.startswith("The docs are on http://127.0.0.1:")


def read(url: str) -> str:
    """Return what this machine serves at an address."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=20) as response:
        text: str = response.read().decode()
        return text
