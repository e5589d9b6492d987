from django.db import migrations

from accounts.triggers import InstallTriggers


class Migration(migrations.Migration):
    """Evidence is never updated or deleted: triggers say so, not only the code."""

    dependencies = [("accounts", "0001_initial")]

    operations = [InstallTriggers()]
