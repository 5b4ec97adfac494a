"""The graph of a workflow: order, cycles, and what surely ran."""

from loopy.compiler.graph import Graph

DIAMOND = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}


def test_each_step_comes_after_its_parents_and_by_name_where_there_is_a_choice() -> None:
    assert Graph({"d": ("c", "b"), "c": ("a",), "b": ("a",), "a": ()}).order == ("a", "b", "c", "d")


def test_cycles_are_told_from_their_least_step_in_the_order_of_running() -> None:
    graph = Graph({"a": ("c",), "b": ("a",), "c": ("b",), "x": ("y",), "y": ("x",), "z": ("c",), "s": ("s",)})
    assert sorted(graph.cycles()) == [["a", "b", "c"], ["s"], ["x", "y"]]


def test_upstream_is_direct_or_through_others() -> None:
    graph = Graph(DIAMOND)
    assert graph.is_upstream("a", "d")
    assert graph.is_upstream("b", "d")
    assert not graph.is_upstream("b", "c")
    assert not graph.is_upstream("d", "a")


def test_a_long_chain_needs_no_deep_stack() -> None:
    chain = {f"s{i:05}": ((f"s{i - 1:05}",) if i else ()) for i in range(20_000)}
    graph = Graph(chain)
    assert graph.order[-1] == "s19999"
    assert graph.is_upstream("s00000", "s19999")


def test_a_join_may_run_without_a_conditional_branch() -> None:
    graph = Graph(DIAMOND, frozenset("b"))
    assert graph.may_be_skipped("b", "d")
    assert not graph.may_be_skipped("c", "d")
    assert not graph.may_be_skipped("a", "d")


def test_what_runs_only_after_a_conditional_step_knows_that_it_ran() -> None:
    graph = Graph({"a": (), "b": ("a",), "c": ("b",), "d": ("c",)}, frozenset("b"))
    assert not graph.may_be_skipped("b", "c")
    assert not graph.may_be_skipped("b", "d")
    assert not graph.may_be_skipped("c", "d")


def test_two_branches_behind_one_conditional_step_both_need_it() -> None:
    graph = Graph({"a": (), "b": ("a",), "c": ("b",), "d": ("b",), "e": ("c", "d")}, frozenset("bc"))
    assert not graph.may_be_skipped("b", "e")
    assert graph.may_be_skipped("c", "e")
