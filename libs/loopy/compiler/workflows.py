"""The shape of each workflow: one trigger, every other step after some of the rest, and nothing in a circle."""

from collections.abc import Mapping, Sequence

import msgspec

from loopy.compiler.graph import Graph
from loopy.compiler.resolve import Broken, Report, report_repeats
from loopy.diagnostics.diagnostic import Diagnostic, Label
from loopy.diagnostics.span import Span
from loopy.diagnostics.suggest import nearest
from loopy.project.model import StepDecl, Word


class Shape(msgspec.Struct, frozen=True):
    """One workflow: its steps by name, its graph, and the step that begins it (None where that was wrong).

    `lost` are steps whose file did not say where they belong. `adrift` are those of which none can say what is upstream
    of them: the lost, those whose place in the graph is a mistake of its own, and all that run after such a step.
    """

    name: str
    steps: Mapping[str, StepDecl]
    graph: Graph
    entry: StepDecl | None
    lost: frozenset[str]
    adrift: frozenset[str]


def shape_workflow(name: str, steps: Sequence[StepDecl], broken: Broken, report: Report) -> Shape:
    """The shape of a workflow; whatever is wrong with it is reported."""
    by_name = {step.name: step for step in sorted(steps, key=lambda step: step.name)}
    lost = frozenset(n for n, step in by_name.items() if broken.file(step.path) and not (step.on or step.after))
    entry = _entry(name, by_name, lost, report)
    missing = _files_without_step(name, by_name, broken)
    parents = {each: _parents(step, by_name, missing, entry, report) for each, step in by_name.items()}
    conditional = frozenset(each for each, step in by_name.items() if step.when is not None)
    graph = Graph(parents, conditional)
    _report_cycles(name, by_name, graph, report)
    return Shape(name, by_name, graph, entry, lost, _adrift(by_name, graph, entry))


def _adrift(steps: Mapping[str, StepDecl], graph: Graph, entry: StepDecl | None) -> frozenset[str]:
    """The steps whose place is not known, and those behind them."""
    unplaced = {name for name, step in steps.items() if step is not entry and not _is_placed(step, steps)}
    if not unplaced:
        return frozenset()
    return frozenset(name for name in steps if name in unplaced or graph.ancestors(name) & unplaced)


def _is_placed(step: StepDecl, steps: Mapping[str, StepDecl]) -> bool:
    """Whether a step other than the entry runs after steps that all exist."""
    return bool(step.after) and all(word.value in steps for word in step.after or ())


def _entry(name: str, steps: Mapping[str, StepDecl], lost: frozenset[str], report: Report) -> StepDecl | None:
    """The step with the trigger; a missing, second or doubtful one is reported."""
    both = [step for step in steps.values() if step.on and _has(step, "after")]
    entries = [step for step in steps.values() if step.on and step not in both]
    _report_both(both, report)
    _report_second(name, entries, report)
    untriggered = not entries and not both and not any(_has(step, "on") for step in steps.values()) and not lost
    _report_neither(name, steps, lost, untriggered=untriggered, report=report)
    return next(iter([*entries, *both]), None)


def _report_both(both: Sequence[StepDecl], report: Report) -> None:
    """Steps that begin the workflow and run after others."""
    for step in both:
        headline = f"`{step.name}` has both `on` and `after`"
        also = (Label(step.keys["on"], "a trigger begins a workflow"),)
        help_ = "keep `on:` in the step that begins the workflow, `after:` in every other"
        report(Diagnostic("LP403", headline, step.keys["after"], also=also, help=help_))


def _report_second(name: str, entries: Sequence[StepDecl], report: Report) -> None:
    """Steps that begin the workflow beside the first that does."""
    for step in entries[1:]:
        headline = (
            f"the workflow `{name}` has more than one trigger: `{entries[0].name}` begins it, and so does `{step.name}`"
        )
        also = (Label(_key(entries[0], "on"), "the first trigger"),)
        help_ = f"give `{step.name}` an `after:` instead, or a workflow of its own"
        report(Diagnostic("LP402", headline, _key(step, "on"), "a second trigger", also, help_))


def _report_neither(
    name: str, steps: Mapping[str, StepDecl], lost: frozenset[str], *, untriggered: bool, report: Report
) -> None:
    """Steps that nothing starts; in a workflow without any trigger the first of them is where one is missing."""
    neither = [
        step for step in steps.values() if not (_has(step, "on") or _has(step, "after")) and step.name not in lost
    ]
    for index, step in enumerate(neither):
        if untriggered and index == 0:
            headline = f"the workflow `{name}` has no trigger"
            help_ = f'give `{step.name}` an `on:`, such as `on: Incident` or `on: cron("0 9 * * *")`'
            report(Diagnostic("LP401", headline, step.span, help=help_))
            continue
        others = [other for other in steps if other != step.name]
        help_ = f"say after which step it runs: `after: {others[0]}`" if others else "give it an `on:`"
        headline = f"`{step.name}` has neither `on` nor `after`: nothing ever starts it"
        report(Diagnostic("LP404", headline, step.span, help=help_))


def _parents(
    step: StepDecl, steps: Mapping[str, StepDecl], missing: frozenset[str], entry: StepDecl | None, report: Report
) -> tuple[str, ...]:
    """The steps that this one runs after, as far as they exist."""
    found: list[str] = []
    for word in report_repeats(step.after or (), report):
        if word.value == step.name:
            help_ = "name a step that runs before it"
            report(Diagnostic("LP405", f"`{step.name}` runs after itself", word.span, help=help_))
        elif word.value in steps:
            found.append(word.value)
        elif word.value not in missing:
            report(_unknown_step(step, word, steps))
    return () if step is entry else tuple(found)


def _unknown_step(step: StepDecl, word: Word, steps: Mapping[str, StepDecl]) -> Diagnostic:
    others = [name for name in steps if name != step.name]
    near = nearest(word.value, others)
    help_ = f"did you mean `{near}`?" if near else f"there is no file `workflows/{step.workflow}/{word.value}.md`"
    headline = f"the workflow `{step.workflow}` has no step `{word.value}`"
    return Diagnostic("LP304", headline, word.span, "unknown step", help=help_)


def _report_cycles(name: str, steps: Mapping[str, StepDecl], graph: Graph, report: Report) -> None:
    for cycle in graph.cycles() if graph.has_cycle else ():
        first, last = steps[cycle[0]], cycle[-1]
        words = [word for word in first.after or () if word.value == last]
        path = " → ".join((*cycle, cycle[0]))
        headline = f"the steps of `{name}` wait for each other: {path}"
        help_ = f"remove one `after:` of the circle; `{first.name}` waits for `{last}` here"
        report(Diagnostic("LP407", headline, words[0].span, "closes the circle", help=help_))


def _files_without_step(workflow: str, steps: Mapping[str, StepDecl], broken: Broken) -> frozenset[str]:
    """Names of step files that could not be read at all."""
    prefix = f"workflows/{workflow}/"
    files = (path for path in broken.paths if path.startswith(prefix) and path.endswith(".md"))
    return frozenset(path[len(prefix) : -len(".md")] for path in files) - steps.keys()


def _has(step: StepDecl, key: str) -> bool:
    """Whether a key is present, if only with a value that was wrong."""
    return key in step.keys


def _key(step: StepDecl, key: str) -> Span:
    return step.keys.get(key, step.span)
