"""Which run a checkpoint belongs to."""

import hashlib
import json

from guanyu_mpi.config.sections import Config

# With the digest, well below what a checkpoint's attribute holds.
READABLE_MAX = 200


def run_identity(config: Config) -> str:
    """Short text that is equal for configurations whose parameters mean the same.

    Model, data and seed: with another of these, parameters cannot be continued. Everything else,
    the number of servers or the learning rate, may change between two lives of a run.
    """
    data = config.data
    meaning = {
        "model": config.model.model_dump(mode="json"),
        "data": {"name": data.name, "options": data.options} if data else None,
        "seed": config.run.seed,
    }
    digest = hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()
    named = f" on {data.name}" if data else ""
    text = f"{config.model.name}{named}, seed {config.run.seed}"
    # A factory may have a name in any script, and a long one; an attribute of a checkpoint is
    # short and ASCII. The digest is of all of it.
    ascii_text = text.encode("ascii", "backslashreplace").decode("ascii")
    return f"{ascii_text[:READABLE_MAX]}, {digest[:16]}"
