"""A run's configuration: TOML in, a frozen and checked record out, every fault at once."""

from guanyu_mpi.config.identity import run_identity
from guanyu_mpi.config.load import config_toml, load_config, parse_config, read_toml
from guanyu_mpi.config.sections import Config
from guanyu_mpi.config.wording import is_section

__all__ = [
    "Config",
    "config_toml",
    "is_section",
    "load_config",
    "parse_config",
    "read_toml",
    "run_identity",
]
