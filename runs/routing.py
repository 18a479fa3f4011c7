"""The sockets' URLs."""

from django.urls import re_path

from runs.consumers import RunConsumer

websocket_urlpatterns = [re_path(r"^ws/runs/(?P<pk>[0-9]{1,18})$", RunConsumer.as_asgi())]
