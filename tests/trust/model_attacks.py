"""Open every model file made to harm, in this process, and say what came of each.

python model_attacks.py FOLDER REPORT
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import model_attacks_inside  # noqa: F401 - importing these enters their attacks
import model_attacks_manifest  # noqa: F401
import model_attacks_outside  # noqa: F401
from model_attacking import ATTACKS, Sound

LOUD = ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect", "pickle.find_class")


def run(folder, report):
    """Open every attack in *folder*, in this process, and write a line of JSON for each."""
    import resource

    from model_subjects import same, saved

    from imgclf import Classifier
    from imgclf.errors import ModelFileError

    sound = Sound(saved(folder / "sound.keras"))
    heard = []

    def listen(event, arguments):
        wrote = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if heard is not None and (event in LOUD or wrote):
            heard.append(f"{event} {arguments!r}"[:200])

    sys.addaudithook(listen)
    lines = []
    for number, (name, (build, trust, harmless)) in enumerate(ATTACKS.items()):
        path = folder / f"{number}.keras"
        content = build(sound, path)
        if content is not None:
            path.write_bytes(content)
        heard.clear()
        began, said = time.perf_counter(), "opened, and not the same"
        try:
            names = ["top", "bottom"] if trust and not harmless else None
            loaded = Classifier.load(path, class_names=names, trust=trust)
            said = "harmless" if harmless == "only numbers" or (harmless and same(loaded, sound.path)) else said
        except ModelFileError as error:
            said = f"refused: {error}"
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        line = {"name": name, "said": said, "seconds": time.perf_counter() - began, "heard": list(heard)}
        line["megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        lines.append(json.dumps(line))
        if path.is_dir():
            (path / "config.json").unlink()
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
    report.write_text("\n".join(lines))


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]))
