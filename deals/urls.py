"""Pages of the work."""

from django.urls import path
from django.views.generic import RedirectView

from deals.views import clients, deals, lists, moves, notes, trash

app_name = "deals"
urlpatterns = [
    path("", RedirectView.as_view(pattern_name="deals:deal_list"), name="home"),
    path("deals/", lists.deal_list, name="deal_list"),
    path("deals/search/", lists.deal_search, name="deal_search"),
    path("deals/new/", deals.deal_create, name="deal_create"),
    path("deals/trash/", trash.deal_trash_list, name="deal_trash_list"),
    path("deals/<uuid:deal_id>/", deals.deal_detail, name="deal_detail"),
    path("deals/<uuid:deal_id>/edit/", deals.deal_edit, name="deal_edit"),
    path("deals/<uuid:deal_id>/move/", moves.deal_move, name="deal_move"),
    path("deals/<uuid:deal_id>/undo-move/", moves.deal_undo_move, name="deal_undo_move"),
    path("deals/<uuid:deal_id>/hand-over/", moves.deal_hand_over, name="deal_hand_over"),
    path("deals/<uuid:deal_id>/trash/", trash.deal_trash, name="deal_trash"),
    path("deals/<uuid:deal_id>/restore/", trash.deal_restore, name="deal_restore"),
    path("deals/<uuid:deal_id>/notes/", notes.note_add, name="note_add"),
    path("deals/<uuid:deal_id>/notes/<uuid:note_id>/edit/", notes.note_edit, name="note_edit"),
    path("deals/<uuid:deal_id>/notes/<uuid:note_id>/delete/", notes.note_delete, name="note_delete"),
    path("clients/", clients.client_list, name="client_list"),
    path("clients/search/", clients.client_search, name="client_search"),
    path("clients/new/", clients.client_create, name="client_create"),
    path("clients/trash/", trash.client_trash_list, name="client_trash_list"),
    path("clients/<uuid:client_id>/", clients.client_detail, name="client_detail"),
    path("clients/<uuid:client_id>/edit/", clients.client_edit, name="client_edit"),
    path("clients/<uuid:client_id>/reveal/", clients.client_reveal, name="client_reveal"),
    path("clients/<uuid:client_id>/trash/", trash.client_trash, name="client_trash"),
    path("clients/<uuid:client_id>/restore/", trash.client_restore, name="client_restore"),
]
