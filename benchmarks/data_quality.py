"""How often the checks of data quality are right: faults planted in simulated markets, and how many were found at their place.

Recall: of the faults planted, the share that a finding of the right check tells at the right asset and date. Precision: of the findings (errors and warnings) of a check, the share that is
about a planted fault. A clean market tells how many findings there are where nothing is wrong.

    python benchmarks/data_quality.py [--markets 4] [--each 10] [--members 300] [--json]
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import argparse
import datetime as dt
import json
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from gammastar.simulate import LargeCapMarket
from gammastar.store.quality import inspect_subject

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.corpus.faults import ALONE, PRICED, Score, clean_subject, scores, spoil


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markets", type=int, default=4)
    parser.add_argument("--each", type=int, default=10)
    parser.add_argument("--members", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    total: dict[tuple[str, str], Score] = {}
    clean: Counter[str] = Counter()
    seconds = 0.0
    for seed in range(options.markets):
        model = LargeCapMarket(members=options.members, listed=options.members * 7 // 5, start=dt.date(2010, 1, 4), end=dt.date(2014, 12, 31))
        panel = model.simulate(seed).panel
        for kind, faults, prices in (("returns alone", ALONE, False), ("with prices", PRICED, True)):
            subject = clean_subject(panel, prices=prices)
            began = time.process_time()
            clean.update(f"{kind}: {finding.check} {finding.severity.value}" for finding in inspect_subject(subject))
            seconds = max(seconds, time.process_time() - began)
            spoilt, planted = spoil(subject, faults, np.random.default_rng(seed), each=options.each)
            for check, score in scores(spoilt, planted).items():
                old = total.get((kind, check), Score(0, 0, 0, 0))
                total[kind, check] = Score(old.planted + score.planted, old.found + score.found, old.told + score.told, old.right + score.right)
    if options.json:
        told = {f"{kind}: {check}": {"planted": score.planted, "recall": score.recall, "told": score.told, "precision": score.precision} for (kind, check), score in total.items()}
        print(json.dumps({"checks": told, "clean": clean, "cpu seconds, slowest market": seconds}, indent=1))
        return
    print(f"{'':<15}{'check':<26}{'planted':>8}{'recall':>8}{'told':>7}{'precision':>11}")
    for (kind, check), score in sorted(total.items()):
        print(f"{kind:<15}{check:<26}{score.planted:>8}{score.recall:>8.2f}{score.told:>7}{score.precision:>11.2f}")
    print(f"clean markets: {dict(clean)}\nslowest market: {seconds:.2f} s CPU")


if __name__ == "__main__":
    main()
