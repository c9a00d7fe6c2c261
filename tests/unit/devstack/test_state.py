"""What a stack remembers from one version to the next."""

from devstack.state import Memory


def test_the_key_to_intake_is_kept_where_it_was_the_only_one() -> None:
    """What its holders show goes on; router's is made when the stack comes up."""
    old = Memory.model_validate_json('{"ports": {}, "passwords": {}, "key": "pk_old"}')
    assert old.keys == {"intake": "pk_old"}
    assert Memory.model_validate_json(old.model_dump_json()) == old


def test_a_stack_that_had_no_key_has_none() -> None:
    """As before intake was first up."""
    assert Memory.model_validate_json('{"key": null}').keys == {}
