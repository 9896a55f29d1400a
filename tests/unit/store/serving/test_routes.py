from __future__ import annotations

import pytest

from ocm_pkg.store.serving.message import RefusedError
from ocm_pkg.store.serving.routes import Route, parameters, route
from tests.fakes.registry_calls import code_of

HEX = "a" * 64
DIGEST = f"sha256:{HEX}"
SESSION = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v2/", Route("base")),
        ("/v2", Route("base")),
        ("/v2/_catalog", Route("catalog")),
        ("/v2/a/tags/list", Route("tags", "a")),
        ("/v2/a/b/manifests/v1.0_x-y", Route("manifest", "a/b", "v1.0_x-y")),
        (f"/v2/a/b/manifests/{DIGEST}", Route("manifest", "a/b", DIGEST)),
        (f"/v2/a/manifests/sha256%3A{HEX}", Route("manifest", "a", DIGEST)),
        (f"/v2/a/manifests/sha512:{HEX}{HEX}", Route("manifest", "a", f"sha512:{HEX}{HEX}")),
        (f"/v2/a/blobs/{DIGEST}", Route("blob", "a", DIGEST)),
        (f"/v2/a/referrers/{DIGEST}", Route("referrers", "a", DIGEST)),
        ("/v2/a/blobs/uploads/", Route("uploads", "a")),
        ("/v2/a/blobs/uploads", Route("uploads", "a")),
        (f"/v2/a/blobs/uploads/{SESSION}", Route("session", "a", SESSION)),
        (
            "/v2/component-descriptors/ocm.software/x-y/manifests/1.0.0",
            Route("manifest", "component-descriptors/ocm.software/x-y", "1.0.0"),
        ),
        ("/v2/manifests/blobs/tags/list", Route("tags", "manifests/blobs")),
        ("/v2/a__b/c-d.e/tags/list", Route("tags", "a__b/c-d.e")),
        (f"/v2/{'a' * 255}/tags/list", Route("tags", "a" * 255)),
        (f"/v2/a/manifests/{'t' * 128}", Route("manifest", "a", "t" * 128)),
    ],
)
def test_a_path_of_the_api_is_read(path, expected):
    assert route(path) == expected


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/", 404, "UNSUPPORTED"),
        ("/v1/", 404, "UNSUPPORTED"),
        ("/v2/a", 404, "UNSUPPORTED"),
        ("/v2/a/tags/other", 404, "UNSUPPORTED"),
        ("/v2/a/manifests/", 404, "UNSUPPORTED"),
        ("/v2/a/manifests/x/y/z", 404, "UNSUPPORTED"),
        ("/v2//manifests/x", 404, "UNSUPPORTED"),
        ("/v2/A/tags/list", 400, "NAME_INVALID"),
        ("/v2/a//b/tags/list", 400, "NAME_INVALID"),
        ("/v2/../a/tags/list", 400, "NAME_INVALID"),
        ("/v2/a/%2e%2e/b/tags/list", 400, "NAME_INVALID"),
        ("/v2/a%00/tags/list", 400, "NAME_INVALID"),
        ("/v2/a%ff/tags/list", 400, "NAME_INVALID"),
        ("/v2/a%e2%80%ae/tags/list", 400, "NAME_INVALID"),
        ("/v2/-a/tags/list", 400, "NAME_INVALID"),
        ("/v2/a___b/tags/list", 400, "NAME_INVALID"),
        (f"/v2/{'a' * 256}/tags/list", 400, "NAME_INVALID"),
        (f"/v2/{'a-' * 100}/tags/list", 400, "NAME_INVALID"),
        (f"/v2/a/manifests/{'t' * 129}", 400, "MANIFEST_INVALID"),
        ("/v2/a/manifests/.x", 400, "MANIFEST_INVALID"),
        ("/v2/a/manifests/1.0+x", 400, "MANIFEST_INVALID"),
        ("/v2/a/manifests/..", 400, "MANIFEST_INVALID"),
        ("/v2/a/blobs/v1", 400, "DIGEST_INVALID"),
        ("/v2/a/blobs/sha256:../../etc", 404, "UNSUPPORTED"),
        ("/v2/a/blobs/sha256:..%2f..%2fetc", 404, "UNSUPPORTED"),
        (f"/v2/a/blobs/sha256:{HEX.upper()}", 400, "DIGEST_INVALID"),
        (f"/v2/a/blobs/sha256:{HEX}a", 400, "DIGEST_INVALID"),
        (f"/v2/a/blobs/md5:{'a' * 32}", 400, "DIGEST_INVALID"),
        (f"/v2/a/blobs/..:{HEX}", 400, "DIGEST_INVALID"),
        (f"/v2/a/referrers/{HEX}", 400, "DIGEST_INVALID"),
        ("/v2/a/blobs/uploads/x", 404, "BLOB_UPLOAD_UNKNOWN"),
        ("/v2/a/blobs/uploads/..", 404, "BLOB_UPLOAD_UNKNOWN"),
    ],
)
def test_R09_any_other_path_is_refused_with_the_code_for_it(path, status, code):
    with pytest.raises(RefusedError) as refused:
        route(path)
    assert code_of(refused.value.response) == (status, code)


def test_the_first_value_of_a_parameter_counts():
    assert parameters("a=1&b=&a=2&c=%C3%A4") == {"a": "1", "b": "", "c": "ä"}
    assert parameters("") == {}


@pytest.mark.parametrize("query", ["&".join(["a=1"] * 21), "a=%ff"])
def test_a_query_with_too_much_or_no_text_is_refused(query):
    with pytest.raises(RefusedError):
        parameters(query)
