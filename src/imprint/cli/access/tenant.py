"""Verbs about one tenant. Add a command to the list at the end."""

from __future__ import annotations

from imprint.cli.access.quota import quota_of_tenant
from imprint.cli.custody.tenants import erase_tenant, export_tenant, list_tenants
from imprint.cli.session import verbs


@verbs("tenant")
def tenant_verb() -> None:
    r"""What one tenant holds and may hold.

    \b
    Example:
      imprint tenant quota acme --set supports=100k
    """


for _command in (quota_of_tenant, list_tenants, export_tenant, erase_tenant):
    tenant_verb.add_command(_command)
