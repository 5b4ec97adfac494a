"""What the graph shows of cost: a spend cap holds only where the price of a model is known."""

from collections.abc import Mapping

from loopy.compiler.build import merged_agent, prices_of
from loopy.compiler.catalogue import WITHOUT_MODEL, price_of
from loopy.compiler.plan import Agent, Price
from loopy.compiler.resolve import Names, Report
from loopy.diagnostics.diagnostic import Diagnostic
from loopy.diagnostics.span import Span
from loopy.diagnostics.suggest import did_you_mean
from loopy.project.model import AgentDecl, LimitsDecl, ProjectDecl, StepDecl


def check_costs(project: ProjectDecl, names: Names, report: Report) -> None:
    """Report, once for each model without a price, the step's budget or the registry's limits that do not see it."""
    prices = prices_of(project.registry)
    told: set[str] = set()
    for step in sorted(project.steps, key=lambda step: (not _has_budget(step), step.path)):
        declared = names.agents.get(step.agent.value) if step.agent is not None else None
        if declared is None:
            continue
        agent = merged_agent(declared, project.registry.defaults)
        if agent.runtime in WITHOUT_MODEL or price_of(agent.model, dict(prices)) is not None:
            continue
        unseen = agent.model or f"of {agent.name}"
        if unseen in told or not (_has_budget(step) or _is_limited(project.registry.limits, step.workflow)):
            continue
        told.add(unseen)
        report(_of_step(step, agent, prices) if _has_budget(step) else _of_limits(declared, agent, prices))


def _has_budget(step: StepDecl) -> bool:
    return step.budget is not None and step.budget.spend_usd is not None


def _is_limited(limits: LimitsDecl, workflow: str) -> bool:
    """Whether some limit is on what a run of this workflow spends."""
    caps = [limits.cascade_usd, limits.day_usd, *(w.spend_usd for w in limits.workflows if w.name.value == workflow)]
    return any(cap is not None for cap in caps)


def _of_step(step: StepDecl, agent: Agent, prices: Mapping[str, Price]) -> Diagnostic:
    assert step.budget is not None
    assert step.budget.spend_usd is not None
    lack = f"the model `{agent.model}` of `{agent.name}` has none" if agent.model else f"`{agent.name}` names no model"
    return _told("LP810", f"a spend budget needs a price, and {lack}", step.budget.spend_usd.span, agent, prices)


def _of_limits(declared: AgentDecl, agent: Agent, prices: Mapping[str, Price]) -> Diagnostic:
    lack = f"the model `{agent.model}` has no price" if agent.model else f"`{agent.name}` names no model"
    span = (declared.harness.model or declared.name).span
    return _told("LP811", f"{lack}: what it costs counts toward no spend limit", span, agent, prices)


def _told(code: str, headline: str, span: Span, agent: Agent, prices: Mapping[str, Price]) -> Diagnostic:
    if not agent.model:
        help_ = f"give `{agent.name}` a model: `harness: {{ runtime: {agent.runtime}, model: … }}`"
        return Diagnostic(code, headline, span, help=help_)
    paste = f"prices:\n  {agent.model}: {{ input: 1.00, output: 1.00 }} # USD per million tokens\n"
    help_ = did_you_mean(agent.model, prices) or "add its price to registry.yml"
    return Diagnostic(code, headline, span, help=help_, paste=paste)
