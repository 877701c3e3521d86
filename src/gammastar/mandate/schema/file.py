"""A whole `mandate.toml`: its tables, what must fit together between them, and the way from the file to the mandate."""

from __future__ import annotations

__all__ = ["MandateFile", "changed", "read_mandate"]

import tomllib
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationError, model_validator

from gammastar.errors import MandateError
from gammastar.mandate.explain import explain, not_toml, refusal
from gammastar.mandate.mandate import Mandate
from gammastar.mandate.schema.fields import Model, Text
from gammastar.mandate.schema.rules import RulesEntry
from gammastar.mandate.schema.strategy import GeneratedEntry, SecondBenchmarkEntry, VolatilityCaptureEntry
from gammastar.mandate.schema.trading import ClocksEntry, DataEntry, RiskEntry, TradingEntry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class MandateFile(Model):
    """A whole `mandate.toml`."""

    name: Text
    benchmark: Text = "S&P 500"
    strategy: Annotated[VolatilityCaptureEntry | GeneratedEntry, Field(discriminator="kind")]
    rules: RulesEntry = RulesEntry()
    risk: RiskEntry = RiskEntry()
    second_risk: RiskEntry | None = None
    second_benchmark: SecondBenchmarkEntry | None = None
    clocks: ClocksEntry = ClocksEntry()
    trading: TradingEntry = TradingEntry()
    data: DataEntry = DataEntry()

    @model_validator(mode="after")
    def _fits_together(self) -> MandateFile:
        if self.clocks.lag == 0 and isinstance(self.strategy, VolatilityCaptureEntry):
            raise refusal(
                "volatility capture estimates risk at a close and cannot trade at that same close",
                key="clocks.lag",
                got=0,
                allowed="1 or more; 0 for generated strategies, which need no estimate",
                advice="write lag = 1",
            )
        for key, risk in (("risk", self.risk), ("second_risk", self.second_risk)):
            if risk is not None and risk.sessions < self.data.observation_window:
                raise refusal(
                    "the risk model looks at fewer sessions than returns are counted in",
                    key=f"{key}.window",
                    got=risk.sessions,
                    allowed=f"at least data.observation_window, {self.data.observation_window}",
                    advice="raise it",
                )
        self._refuse_missing_seconds()
        return self

    def _refuse_missing_seconds(self) -> None:
        """Refuse what looks at a second benchmark or a second risk model that the mandate does not have."""
        for key in self._asking("second_benchmark") if self.second_benchmark is None else ():
            raise refusal("this needs a second benchmark, and the mandate has none", key=key, advice="add [second_benchmark], or remove it")
        for key in self._asking("second_model") if self.second_risk is None else ():
            raise refusal("this needs a second risk model, and the mandate has none", key=key, advice="add [second_risk], or remove it")

    def _asking(self, what: str) -> Iterator[str]:
        """Yield the keys that ask for a second benchmark or a second model."""
        for rule in ("tracking_error", "beta"):
            if getattr(getattr(self.rules, rule), what, None) is not None:
                yield f"rules.{rule}.{what}"
        for at, penalty in enumerate(getattr(self.strategy, "penalty", ())):
            if getattr(penalty, what):
                yield f"strategy.penalty.{at}.{what}"

    def build(self) -> Mandate:
        """Return the mandate."""
        return Mandate(
            name=self.name,
            benchmark=self.benchmark,
            strategy=self.strategy.build(),
            rules=self.rules.build(),
            risk=self.risk.build(self.data),
            second_risk=None if self.second_risk is None else self.second_risk.build(self.data),
            second_benchmark=None if self.second_benchmark is None else self.second_benchmark.build(),
            clocks=self.clocks.build(),
            trading=self.trading.build(),
            data=self.data.build(),
        )


def changed(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table with values set by dotted key; a limit that stands for its table becomes one.

    >>> changed({"rules": {"tracking_error": 0.02}}, {"rules.tracking_error.priority": 1, "trading.cost_bp": 5})
    {'rules': {'tracking_error': {'limit': 0.02, 'priority': 1}}, 'trading': {'cost_bp': 5}}
    """
    copy = dict(table)
    for dotted, value in changes.items():
        key, _, rest = dotted.partition(".")
        if rest:
            inside = copy.get(key, {})
            copy[key] = changed(inside if isinstance(inside, dict) else {"limit": inside}, {rest: value})
        else:
            copy[key] = value
    return copy


def read_mandate(path: Path, *, changes: Mapping[str, Any] | None = None) -> Mandate:
    """Read, validate and build a mandate; the files it names are looked for in its folder.

    Args:
        path: of the file.
        changes: values that stand in place of the file's, by dotted key (`changed`).

    Raises:
        MandateError: with the file, the line and the key, what was got, what is allowed and what to do next.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise MandateError(
            str(path),
            "the file is not UTF-8 text",
            got=f"byte {error.object[error.start]:#04x} at {error.start}",
            advice="save it as UTF-8",
        ) from error
    except OSError as error:
        advice = (
            "name the mandate.toml in it"
            if path.is_dir()
            else "name a mandate.toml; gammastar init writes a commented template"
        )
        raise MandateError(str(path), f"the file cannot be read ({error.strerror})", advice=advice) from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise not_toml(path, text, error) from error
    data = changed(data, changes or {})
    try:
        return MandateFile.model_validate(data, context={"folder": path.parent}).build()
    except ValidationError as error:
        raise explain(path, text, MandateFile, error) from error
