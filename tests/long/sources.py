"""The sources as whoever takes them has them: what git has or would take, as it is now, without builds."""

import shutil
import subprocess

from roots import TOP


def take_sources(folder):
    names = subprocess.run(["git", "-C", TOP, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], check=True,
                           capture_output=True, text=True).stdout
    for name in names.split("\0"):
        if name and (TOP / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, folder / name)
