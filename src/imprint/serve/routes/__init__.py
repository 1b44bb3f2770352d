"""Every call the server answers, as one table."""

from imprint.serve.endpoint import Endpoint
from imprint.serve.routes import (
    answers,
    bulk,
    collections,
    embeddings,
    health,
    keys,
    review,
    supports,
)
from imprint.serve.routes.docs import docs_endpoints

_CALLS: tuple[Endpoint, ...] = (
    *collections.ENDPOINTS,
    *supports.ENDPOINTS,
    *bulk.ENDPOINTS,
    *answers.ENDPOINTS,
    *review.ENDPOINTS,
    *embeddings.ENDPOINTS,
    *keys.ENDPOINTS,
    *health.ENDPOINTS,
)

ENDPOINTS: tuple[Endpoint, ...] = (*_CALLS, *docs_endpoints(_CALLS))
