"""A run's configuration: TOML in, a frozen and checked record out, every fault at once."""

from guanyu_mpi.config.identity import run_identity
from guanyu_mpi.config.load import config_toml, load_config, parse_config
from guanyu_mpi.config.sections import Config

__all__ = ["Config", "config_toml", "load_config", "parse_config", "run_identity"]
