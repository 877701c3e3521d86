"""The verbs, each once. Shells (the command line, a web page) call nothing else."""

from __future__ import annotations

__all__ = [
    "Decision",
    "check_data",
    "check_file",
    "compare_runs",
    "correct_data",
    "data_status",
    "decompose_market",
    "describe_capital",
    "draw_frontier",
    "explain_target",
    "ingest",
    "init_workspace",
    "list_corrections",
    "propose_targets",
    "replay_file",
    "report_run",
    "run_mandate",
    "simulate_market",
    "simulate_model",
    "study_rebalancing",
    "validate_mandate",
    "verify_run",
    "write_figure",
    "write_orders",
    "write_proposal",
    "write_targets",
]

from gammastar.workspace.data import data_status, ingest
from gammastar.workspace.decide import (
    Decision,
    check_file,
    draw_frontier,
    explain_target,
    propose_targets,
    replay_file,
    validate_mandate,
    write_figure,
    write_orders,
    write_proposal,
    write_targets,
)
from gammastar.workspace.desk import init_workspace
from gammastar.workspace.quality import check_data, correct_data, list_corrections
from gammastar.workspace.runs import compare_runs, report_run, run_mandate, verify_run
from gammastar.workspace.simulate import simulate_market, simulate_model
from gammastar.workspace.theory import decompose_market, describe_capital, study_rebalancing
