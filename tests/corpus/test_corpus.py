"""The corpus of bad inputs: enough of them, all different, of every kind."""

from __future__ import annotations

from tests.corpus import datasets, mandates, rules, weights
from tests.corpus.faults import ALONE, PRICED

KINDS = {
    "encodings and shapes": datasets.FILES + datasets.COLUMNS,
    "numbers": datasets.VALUES,
    "dates": datasets.DATES,
    "identity": datasets.IDS,
    "market": [*ALONE, *PRICED[2:]],
    "portfolio": list(weights.BAD.values()),
    "config": [*datasets.MAPPINGS, *mandates.BAD.values(), *rules.BAD.values(), *rules.BAD_FILES.values()],
}


def test_the_corpus_has_two_hundred_bad_inputs_of_every_kind() -> None:
    counts = {kind: len(inputs) for kind, inputs in KINDS.items()}
    assert sum(counts.values()) >= 200
    assert min(counts.values()) >= 8


def test_no_bad_input_is_there_twice() -> None:
    names = [bad.name for bad in datasets.ALL]
    assert len(set(names)) == len(names)
    contents = [str(entry[0]) for table in (mandates.BAD, rules.BAD, weights.BAD) for entry in table.values()]
    assert len(set(contents)) == len(contents)
