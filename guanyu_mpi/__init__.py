"""SGD over MPI in which no rank is trusted: GuanYu and Byzantine-resilient SGD."""

__version__ = "0.1.0"
