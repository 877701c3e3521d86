"""The verbs, each once. Shells (the command line, a web page) call nothing else."""

from __future__ import annotations

__all__ = [
    "Decision",
    "append",
    "check_data",
    "check_file",
    "compare_runs",
    "data_status",
    "decompose_market",
    "describe_capital",
    "diff_knowledge",
    "draw_frontier",
    "evaluate_risk",
    "explain_target",
    "ingest",
    "ingest_from",
    "init_workspace",
    "list_corrections",
    "list_sources",
    "match_names",
    "override_rows",
    "propose_targets",
    "quarantine_returns",
    "replay_file",
    "report_run",
    "revoke_correction",
    "run_mandate",
    "simulate_market",
    "simulate_model",
    "study_rebalancing",
    "sweep_mandate",
    "validate_mandate",
    "verify_run",
    "write_figure",
    "write_orders",
    "write_proposal",
    "write_targets",
]

from gammastar.workspace.corrections import list_corrections, override_rows, quarantine_returns, revoke_correction
from gammastar.workspace.data import append, data_status, diff_knowledge, ingest, ingest_from, list_sources, match_names
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
from gammastar.workspace.quality import check_data
from gammastar.workspace.risk import evaluate_risk
from gammastar.workspace.runs import compare_runs, report_run, run_mandate, verify_run
from gammastar.workspace.simulate import simulate_market, simulate_model
from gammastar.workspace.sweep import sweep_mandate
from gammastar.workspace.theory import decompose_market, describe_capital, study_rebalancing
