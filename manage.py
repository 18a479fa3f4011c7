#!/usr/bin/env python
"""Django's command line. `./opspilot` makes the environment and then calls this."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "opspilot_site.settings")
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from environs.exceptions import EnvError

    from opspilot_site.commandline import CommandLine

    try:
        settings.DEBUG  # noqa: B018  reads all settings: a wrong setting is one sentence, whatever the command
    except (ImproperlyConfigured, EnvError) as error:
        sys.stderr.write(f"opspilot: {error}\n")
        sys.exit(2)
    # People call ./opspilot: usage and help name that.
    CommandLine(["opspilot", *sys.argv[1:]]).execute()


if __name__ == "__main__":
    main()
