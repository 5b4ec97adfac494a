"""An author's sensors: their modules imported, their functions found, and what went wrong in them told briefly."""

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

import msgspec

from loopy import events
from loopy.compiler.plan import Plan, Sensor
from loopy.kit.errors import CannotStart
from loopy_services.ingress.calls import Function, TooMany, TooSlow
from loopy_services.ingress.core import SensorMistake

MAX_ERROR = 1000
MAX_TRACE = 8000


class LoadedSensor(msgspec.Struct, frozen=True):
    """A sensor of the plan, and its function."""

    declared: Sensor
    function: Function


def load_sensors(project: Path, plan: Plan, before: Plan | None = None) -> dict[str, LoadedSensor]:
    """The plan's sensors by name. Raises CannotStart with every module that does not import, one a line.

    `before` is the plan whose sensors were loaded until now. The project's modules are imported anew then; when that
    fails, all is as it was.
    """
    root = project.resolve()
    if str(root) not in sys.path:
        sys.path.append(str(root))
    if before is None:
        return _loaded(root, plan)
    with _forgotten(root, (before, plan)):
        try:
            return _loaded(root, plan)
        except BaseException:
            events.bind(before.events)
            raise


def _loaded(root: Path, plan: Plan) -> dict[str, LoadedSensor]:
    events.bind(plan.events)
    problems: list[str] = []
    modules = _modules(root, plan, problems)
    loaded: dict[str, LoadedSensor] = {}
    for name, sensor in plan.sensors.items():
        function = getattr(modules.get(sensor.module), name, None)
        if callable(function):
            loaded[name] = LoadedSensor(sensor, function)
        elif sensor.module in modules:
            problems.append(f"{sensor.module} has no function {name} once it is imported")
    if problems:
        raise CannotStart("\n".join(problems))
    return loaded


def _modules(root: Path, plan: Plan, problems: list[str]) -> dict[str, ModuleType]:
    """The modules of the plan's sensors by path; of one that does not import, the problem is added."""
    modules: dict[str, ModuleType] = {}
    for path in sorted({sensor.module for sensor in plan.sensors.values()}):
        try:
            modules[path] = _imported(root, path)
        except (Exception, SystemExit) as error:  # noqa: BLE001 (an author's module may raise anything)
            problems.append(f"{path} does not import: {error_text(error)}{_line_of(error, root / path)}")
    return modules


@contextmanager
def _forgotten(root: Path, plans: Iterable[Plan]) -> Iterator[None]:
    """Have the modules of these plans be imported from their files within this; when it fails, put the old ones back.

    What Python has compiled of them is removed too: it tells an old file by its size and the second of its change.
    """
    files = {str(root / path) for plan in plans for path in plan.sources if path.endswith(".py")}
    modules = dict(_modules_of(files))
    for name in modules:
        del sys.modules[name]
    for file in files:
        with suppress(OSError):
            Path(importlib.util.cache_from_source(file)).unlink()
    importlib.invalidate_caches()
    try:
        yield
    except BaseException:
        for name, _ in list(_modules_of(files)):
            del sys.modules[name]
        sys.modules.update(modules)
        raise


def _modules_of(files: Container[str]) -> Iterator[tuple[str, ModuleType]]:
    """The modules, by name, that were imported from one of these files."""
    for name, module in list(sys.modules.items()):
        if getattr(module, "__dict__", {}).get("__file__") in files:
            yield name, module


def error_text(error: BaseException) -> str:
    """An exception in one short line: `KeyError: 'data'`; of our own ones the sentence alone."""
    try:
        said = str(error)
    except Exception:  # noqa: BLE001 (an author's exception may fail to say anything)
        said = ""
    line = said.strip().partition("\n")[0][:MAX_ERROR]
    if isinstance(error, SensorMistake | TooSlow | TooMany):
        return line
    return f"{type(error).__name__}: {line}" if line else type(error).__name__


def user_trace(error: BaseException, project: Path) -> str:
    """The traceback of an exception with the frames of the project alone, the end of it where it is long."""
    trace = traceback.TracebackException.from_exception(error)
    root = f"{project.resolve()}/"
    frames = [frame for frame in trace.stack if frame.filename.startswith(root)]
    for frame in frames:
        frame.filename = frame.filename.removeprefix(root)
    return "".join(traceback.StackSummary.from_list(frames).format())[-MAX_TRACE:]


def _imported(root: Path, path: str) -> ModuleType:
    """A module of the project, under a name that no other project's has."""
    name = f"loopy_project_{hashlib.sha256(f'{root}/{path}'.encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, root / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _line_of(error: BaseException, file: Path) -> str:
    """` (line 12)`: where in the module, as far as its import got."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return f" (line {error.lineno})"
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == str(file)]
    return f" (line {lines[-1]})" if lines else ""
