"""Which function of torch a rule is compared with."""

from guanyu_mpi.aggregation.rules import RULES, Forehand


def baseline(name: str) -> str:
    """The function of torch that does most of what a rule does, on coordinates or distances.

    >>> baseline("median"), baseline("krum")
    ('torch.median', 'torch.cdist')
    """
    if name == "average":
        return "torch.mean"
    return "torch.cdist" if RULES[name].forehand is Forehand.PRODUCTS else "torch.median"
