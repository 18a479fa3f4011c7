"""Who calls the API, and what there is to read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from runs.services.tokens import issue_token

Caller = Callable[[User], APIClient]


@pytest.fixture(autouse=True)
def two_sources(settings: object) -> None:
    settings.SOURCE_URLS = {"logs": [("shop", "file:///var/log/shop")], "metrics": [("", "file:///var/m.csv")]}  # type: ignore[attr-defined]


@pytest.fixture
def by_token() -> Caller:
    """A client that shows a personal token of the user."""

    def client(user: User) -> APIClient:
        _, plain = issue_token(user, "test")
        caller = APIClient()
        caller.credentials(HTTP_AUTHORIZATION=f"Bearer {plain}")
        return caller

    return client


@pytest.fixture
def nobody() -> APIClient:
    return APIClient()
