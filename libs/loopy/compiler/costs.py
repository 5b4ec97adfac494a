"""What the graph shows of cost: a spend cap holds only where the price of a model is known."""

from collections.abc import Mapping

from loopy.compiler.build import merged_agent, prices_of
from loopy.compiler.catalogue import WITHOUT_MODEL, price_of
from loopy.compiler.names import Names, Report
from loopy.compiler.plan import Price
from loopy.diagnostics.diagnostic import Diagnostic
from loopy.diagnostics.suggest import did_you_mean
from loopy.project.model import ProjectDecl, StepDecl


def check_costs(project: ProjectDecl, names: Names, report: Report) -> None:
    """Report every spend budget of a step whose model has no price."""
    prices = prices_of(project.registry)
    for step in project.steps:
        if step.budget is not None and step.budget.spend_usd is not None:
            _spend(step, project, names, prices, report)


def _spend(step: StepDecl, project: ProjectDecl, names: Names, prices: Mapping[str, Price], report: Report) -> None:
    declared = names.agents.get(step.agent.value) if step.agent is not None else None
    if declared is None or step.budget is None or step.budget.spend_usd is None:
        return
    agent = merged_agent(declared, project.registry.defaults)
    if agent.runtime in WITHOUT_MODEL or price_of(agent.model, dict(prices)) is not None:
        return
    if agent.model:
        headline = f"a spend budget needs a price, and the model `{agent.model}` of `{agent.name}` has none"
        paste = f"prices:\n  {agent.model}: {{ input: 1.00, output: 1.00 }} # USD per million tokens\n"
        help_ = did_you_mean(agent.model, prices) or "add its price to registry.yml"
    else:
        headline = f"a spend budget needs a model with a price, and `{agent.name}` names no model"
        paste, help_ = "", f"give `{agent.name}` a model: `harness: {{ runtime: {agent.runtime}, model: … }}`"
    report(Diagnostic("LP810", headline, step.budget.spend_usd.span, help=help_, paste=paste))
