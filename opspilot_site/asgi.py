"""The ASGI application: pages and API by Django, sockets by Channels behind an origin check."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "opspilot_site.settings")
application = get_asgi_application()
