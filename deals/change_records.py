"""Which changes of the work django-auditlog keeps for the admin: names of fields, never their values."""

from accounts.change_records import track


def register() -> None:
    """Track pipelines, clients and deals; texts of notes belong to events."""
    from deals.models import Client, Deal, LostReason, Pipeline, Stage

    named = ["code", "name_ru", "name_en", "position"]
    track(Pipeline, named)
    track(Stage, [*named, "kind"])
    track(LostReason, named)
    track(Client, ["agent", "name", "email", "notes", "deleted_at"])
    terms = ["property_type", "property_address", "price", "commission_percent"]
    plans = ["next_step_text", "next_step_on", "notes"]
    track(Deal, [*terms, *plans, "agent", "client", "stage", "lost_reason", "lost_comment", "deleted_at"])
