"""Orders, costs, ledger events."""

__all__ = [
    "Order",
    "Positions",
    "execute",
    "fixed_targets",
    "fold",
    "invest_flow",
    "left_names",
    "order_list",
    "orders_csv",
    "read_weights",
    "weights_csv",
    "within_band",
    "without_names",
]

from gammastar.trade.execution import execute
from gammastar.trade.flows import invest_flow
from gammastar.trade.ledger import Positions, fold
from gammastar.trade.orders import Order, order_list, orders_csv
from gammastar.trade.targets import fixed_targets, left_names, within_band, without_names
from gammastar.trade.weights_file import read_weights, weights_csv
