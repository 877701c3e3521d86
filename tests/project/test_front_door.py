"""The front door: import is free and silent, every public name is listed, found and documented."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import gammastar

SOURCE = Path(gammastar.__file__).parent
MODULES = sorted(
    ".".join(("gammastar", *file.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")
    for file in SOURCE.rglob("*.py")
    if not any(part.startswith("_") and part != "__init__.py" for part in file.relative_to(SOURCE).parts)
)
HEAVY = {"clarabel", "duckdb", "exchange_calendars", "jaxtyping", "numpy", "pandas", "plotly", "pyarrow", "pydantic", "scipy"}


def loaded_by(code: str) -> set[str]:
    """Return the top-level modules that `code` loads in a new interpreter, those of the standard library left out."""
    program = f"import sys; before = set(sys.modules)\n{code}\nprint(*sorted({{n.split('.')[0] for n in set(sys.modules) - before}}), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stderr.splitlines()[-1].split()) - sys.stdlib_module_names


def test_import_loads_nothing_third_party_and_prints_nothing() -> None:
    assert loaded_by("import gammastar; dir(gammastar)") == {"gammastar"}
    done = subprocess.run([sys.executable, "-W", "error", "-c", "import gammastar"], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""


def test_help_loads_none_of_the_heavy_libraries() -> None:
    code = "from gammastar.app.cli import main\nsys.argv = ['gammastar', WORDS]\ntry:\n    main()\nexcept SystemExit:\n    pass"
    assert HEAVY & loaded_by(code.replace("WORDS", "'--help'")) == set()
    assert (HEAVY - {"pydantic"}) & loaded_by(code.replace("WORDS", "'backtest', '--help'")) == set()  # typer itself asks pydantic for the types of options


def test_front_door_lists_every_name_and_nothing_else() -> None:
    assert dir(gammastar) == sorted(gammastar.__all__)
    for name in gammastar.__all__:
        assert getattr(gammastar, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(gammastar, "nothing")  # noqa: B009 - asked for by name on purpose


def test_front_door_is_the_same_object_as_the_room_gives() -> None:
    from gammastar.mandate import Mandate
    from gammastar.market.panel import Panel

    assert gammastar.Mandate is Mandate
    assert gammastar.Panel is Panel


def public_definitions(module: ast.Module) -> set[str]:
    return {
        node.name
        for node in module.body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and not node.name.startswith("_")
    }


@pytest.mark.parametrize("name", MODULES)
def test_each_module_lists_its_public_names_and_each_is_documented(name: str) -> None:
    """Ruff keeps `__all__` sorted (RUF022) and every definition documented (D1xx); this looks at what the lists promise."""
    module = importlib.import_module(name)
    assert module.__doc__
    defined = public_definitions(ast.parse(Path(inspect.getfile(module)).read_text(encoding="utf-8")))
    listed = getattr(module, "__all__", None)
    if listed is None:
        assert not defined, "a module with public names needs __all__"
        return
    assert len(listed) == len(set(listed))
    for item in listed:
        value = getattr(module, item)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), item
