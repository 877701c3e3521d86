"""Estimators of risk: frozen dataclasses whose one method `estimate` returns a factored covariance."""
