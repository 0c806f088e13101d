"""A real browser: the page throws nothing, asks for nothing, opens what a link names, fits a phone, prints whole."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from report_pages import pets, trained

from imgclf.report import write_comparison, write_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
QUIET = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
QUIET += ["--disable-background-networking", "--disable-component-update", "--enable-logging=stderr"]
QUIET += ["--virtual-time-budget=4000"]
# The browser asks its maker for things of its own; such requests have no page as their initiator.
BY_A_PAGE = re.compile(r'"initiator":"(?!not an origin")[^"]*"[^\n]*"url":"((?:https?|wss?|ftp):[^"]+)"')

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed: the static tests stand alone")


class Seen:
    """What a browser made of a page."""

    def __init__(self, address, folder, *more):
        log = folder / "net.json"
        folder.mkdir(exist_ok=True)
        rules = ["--host-resolver-rules=MAP * ~NOTFOUND", f"--log-net-log={log}", f"--user-data-dir={folder / 'user'}"]
        done = subprocess.run(
            [BROWSER, *QUIET, *rules, *more, address], capture_output=True, text=True, timeout=120, check=True
        )
        self.dom = done.stdout
        self.said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        self.asked = BY_A_PAGE.findall(log.read_text(encoding="utf-8", errors="replace"))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A report and a comparison."""
    folder, run, sets = tmp_path_factory.mktemp("browser"), trained(), pets()
    write_comparison(folder / "both.html", run, run, data=sets[2])
    return write_report(folder / "pets.html", run, validation=sets[1], train=sets[0], test=sets[2])


@pytest.mark.parametrize("name", ["pets.html", "both.html"])
def test_the_page_throws_nothing_and_asks_nobody(path, name, tmp_path):
    """No line on the console, no request, not even one that would fail."""
    seen = Seen(path.with_name(name).as_uri(), tmp_path / "one", "--dump-dom")
    assert seen.said == []
    assert seen.asked == []
    assert "</html>" in seen.dom


def test_a_link_of_the_matrix_opens_its_pictures(path, tmp_path):
    """Closed at first; with the cell's address the one box is open."""
    plain = Seen(path.as_uri(), tmp_path / "one", "--dump-dom").dom
    anchor = re.search(r'href="#(cell-\d-\d)"', plain)[1]
    opened = Seen(f"{path.as_uri()}#{anchor}", tmp_path / "two", "--dump-dom").dom
    assert len(re.findall(r"<details open", plain)) == 0
    assert re.findall(r'<details open="">.*?id="([^"]+)"', opened, re.DOTALL) == [anchor]


def test_a_changed_page_is_stopped_by_its_policy(path, tmp_path):
    """The checks above can fail: another script, a picture from elsewhere and a style are refused, and said so."""
    text = path.read_text(encoding="utf-8").replace("show();\n</script>", "document.title = 'x';\n</script>")
    text = text.replace("</body>", '<img src="https://evil.example/x.png"><p style="color:red"></p></body>')
    (tmp_path / "changed.html").write_text(text, encoding="utf-8")
    seen = Seen((tmp_path / "changed.html").as_uri(), tmp_path / "one", "--dump-dom")
    refused = " ".join(seen.said)
    assert all(word in refused for word in ("script-src", "img-src", "style-src"))
    assert "<title>x</title>" not in seen.dom
    assert seen.asked == []
    loose = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    (tmp_path / "loose.html").write_text(loose, encoding="utf-8")
    loose = Seen((tmp_path / "loose.html").as_uri(), tmp_path / "two", "--dump-dom")
    assert set(loose.asked) == {"https://evil.example/x.png"}


def test_it_fits_a_phone(path, tmp_path):
    """At 375 pixels the page itself does not scroll sideways: measured in a frame of that width."""
    frame = (
        '<iframe id="f" width="375" height="700" src="{}"></iframe><script>onload = () => {{ const d = '
        "document.getElementById('f').contentDocument.documentElement; document.title = "
        "`${{d.scrollWidth}} of ${{d.clientWidth}}`; }}</script>"
    )
    for name in ("pets.html", "both.html"):
        outer = path.with_name(f"frame_{name}")
        outer.write_text(frame.format(name), encoding="utf-8")
        seen = Seen(outer.as_uri(), tmp_path / name[:-5], "--dump-dom", "--allow-file-access-from-files")
        inside, width = map(int, re.search(r"<title>(\d+) of (\d+)</title>", seen.dom).groups())
        assert 300 < width <= 375
        assert inside <= width


def test_printed_it_opens_everything(path, tmp_path):
    """More pages than closed; every picture is in the PDF."""
    target = tmp_path / "pets.pdf"
    Seen(path.as_uri(), tmp_path / "one", f"--print-to-pdf={target}")
    pictures = len(re.findall(rb"/Subtype\s*/Image", target.read_bytes()))
    assert pictures >= len(set(re.findall(r"data:image/jpeg;base64,[^\"]+", path.read_text(encoding="utf-8")))) > 20
