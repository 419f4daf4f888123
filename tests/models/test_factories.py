"""Names of the form "package.module:function"."""

import pytest

from guanyu_mpi.errors import ConfigError
from guanyu_mpi.factories import call_factory, check_options, import_factory, is_factory


def test_only_a_name_with_a_colon_is_a_factory():
    assert is_factory("package.module:function")
    assert not is_factory("cnnet")


@pytest.mark.parametrize("reference", [":function", "module:", ":"])
def test_incomplete_references_are_refused(reference):
    with pytest.raises(ConfigError, match=r"package\.module:function"):
        import_factory("model", reference)


def test_a_factory_is_called_with_the_options():
    assert call_factory("data", "collections:Counter", {"a": 2}) == {"a": 2}


def test_callables_that_do_not_tell_their_arguments_are_left_to_be_called():
    check_options("data", "builtins:dict", dict, {"anything": 1})


def test_the_error_says_what_kind_of_thing_was_wanted():
    with pytest.raises(ConfigError, match="data 'os:nothing'"):
        import_factory("data", "os:nothing")
