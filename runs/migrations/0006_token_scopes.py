"""Tokens get scopes. Those that exist acted as their user in everything and go on doing so until they expire."""

from django.db import migrations, models

ALL = ["runs:read", "runs:write", "approvals:decide"]


def keep_what_they_could(apps, schema_editor):
    apps.get_model("runs", "ApiToken").objects.update(scopes=ALL)


class Migration(migrations.Migration):
    dependencies = [("runs", "0005_notifications")]

    operations = [
        migrations.AddField("apitoken", "scopes", models.JSONField(default=list)),
        migrations.RunPython(keep_what_they_could, migrations.RunPython.noop),
    ]
