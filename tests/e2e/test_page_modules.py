"""The page's modules, as they refer to each other: nobody is there to bundle them, so what is needed first is asked for at once."""

import pathlib
import re

WEB = pathlib.Path(__file__).parents[2] / "web"
INDEX = (WEB / "index.html").read_text()
IMPORT = re.compile(r"""^\s*(?:import|export)\b[^"'()]*?["'](\.[^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)""", re.MULTILINE)
NAMES = re.compile(r"""^import \{([^}]*)\} from ["'](\.[^"']+)["']""", re.MULTILINE)
EXPORT = re.compile(r"^export (?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)
FOR_TESTS = {("table.js", "work")}  # what test_page_hostile.py looks at


def modules():
    return [path for path in WEB.rglob("*.js") if "vendor" not in path.parts]


def imports(path, lazy):
    found = [late if lazy else early for early, late in IMPORT.findall(path.read_text())]
    return [(path.parent / name).resolve() for name in found if name]


def exported():
    return {(path, name) for path in modules() for name in EXPORT.findall(path.read_text())}


def imported():
    """(module, name) of all that is asked for by name of the page's own modules."""
    found = {((path.parent / module).resolve(), name.split(" as ")[0].strip())
             for path in modules() for names, module in NAMES.findall(path.read_text()) for name in names.split(",")}
    return {(path, name) for path, name in found if name and "vendor" not in path.parts}


def needed(path, seen):
    """This module and all that it cannot begin without."""
    if path not in seen:
        seen.add(path)
        for one in imports(path, lazy=False):
            needed(one, seen)
    return seen


def test_every_import_leads_to_a_file():
    for path in modules():
        absent = [one for lazy in (False, True) for one in imports(path, lazy) if not one.is_file()]
        assert not absent, (path.name, absent)


def test_what_the_first_screen_needs_is_asked_for_at_once():
    first = needed(WEB / "screens" / "overview.js", needed(WEB / "main.js", set()))
    preloaded = {(WEB / name).resolve() for name in re.findall(r'rel="modulepreload" href="([^"]+)"', INDEX)}
    assert preloaded == first - {WEB / "main.js"}, (sorted(preloaded - first), sorted(first - preloaded))


def test_no_module_is_left_over():
    used = set()
    for path in modules():
        used |= set(imports(path, lazy=False)) | set(imports(path, lazy=True))
    assert {path for path in modules() if path not in used} == {WEB / "main.js"}


def test_every_name_that_is_imported_is_there():
    assert imported() <= exported(), sorted((path.name, name) for path, name in imported() - exported())


def test_nothing_is_exported_that_nobody_imports():
    assert {(path.name, name) for path, name in exported() - imported()} == FOR_TESTS


def test_only_parts_and_screens_draw():
    """core/ is what they are drawn from: it knows none of them."""
    for path in (WEB / "core").glob("*.js"):
        assert all(one.parent.name in ("core", "vendor") for one in imports(path, lazy=False)), path.name
