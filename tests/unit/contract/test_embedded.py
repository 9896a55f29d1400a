from __future__ import annotations

import pytest

from ocm_pkg.contract.capabilities import Capabilities
from ocm_pkg.contract.embedded import check_embedded
from ocm_pkg.errors import PluginProtocolError

ANSWER = b'{"type": {"Hello/v1": ["readComponentVersionRepository"]}}'


def test_the_same_answer_none_and_one_that_nobody_compares_are_good():
    check_embedded(ANSWER, Capabilities.parse(ANSWER).to_json(), "it")
    check_embedded(b"", {"any": "thing"}, "it")
    check_embedded(ANSWER, None, "it")


@pytest.mark.parametrize(
    ("embedded", "says"),
    [(b"no answer", "has a launcher: "), (ANSWER, "something else than its launcher")],
)
def test_another_answer_is_refused(embedded, says):
    with pytest.raises(PluginProtocolError, match=says) as caught:
        check_embedded(embedded, {"type": {}}, "hello")
    assert "anew" in str(caught.value.hint)
