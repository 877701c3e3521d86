"""gammastar: enhanced-index equity portfolios by Stochastic Portfolio Theory."""

__version__ = "0.1.0"
