import pytest
from pytest_localserver.http import ContentServer
from pytest_localserver.https import SecureContentServer
from pytest_localserver.smtp import Server

@pytest.fixture
def httpserver() -> ContentServer: ...
@pytest.fixture
def httpsserver() -> SecureContentServer: ...
@pytest.fixture
def smtpserver() -> Server: ...
