"""The long tests use what the end-to-end tests have: their fixtures, and the modules beside them. The programs come from the
sanitized build unless $CASTGATE_BUILD says otherwise, since it also finds what is lost or used too late when something fails."""

import importlib.util
import os
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
os.environ.setdefault("CASTGATE_BUILD", str(TOP / "build-gcc-debug"))
os.environ.setdefault("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0")
os.environ.setdefault("LSAN_OPTIONS", f"suppressions={Path(__file__).with_name('leaks.supp')}:print_suppressions=0")
sys.path.insert(0, str(TOP / "tests/e2e"))

_spec = importlib.util.spec_from_file_location("e2e_conftest", TOP / "tests/e2e/conftest.py")
_e2e = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = _e2e
_spec.loader.exec_module(_e2e)
globals().update({name: value for name, value in vars(_e2e).items() if not name.startswith("__")})
