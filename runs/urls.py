"""The pages' URLs. The API has its own in runs/api, the socket in runs/routing.py."""

from django.contrib.auth import views as auth
from django.urls import path

from runs.views import accounts, approvals, runs, tickets

urlpatterns = [
    path("", runs.run_list, name="run_list"),
    path("runs/new", runs.run_new, name="run_new"),
    path("login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("approvals/", approvals.approval_list, name="approval_list"),
    path("approvals/<int:pk>/", approvals.approval_page, name="approval"),
    path("approvals/<int:pk>/part", approvals.approval_part, name="approval_part"),
    path("approvals/<int:pk>/decide", approvals.approval_decide, name="approval_decide"),
    path("tickets/", tickets.ticket_list, name="ticket_list"),
    path("tickets/<str:name>", tickets.ticket_page, name="ticket"),
    path("account/", accounts.account, name="account"),
    path("account/tokens", accounts.token_issue, name="token_issue"),
    path("account/tokens/<int:pk>/revoke", accounts.token_revoke, name="token_revoke"),
    path("setup/<str:token>", accounts.setup, name="setup"),
    path("demo/<str:username>/<str:token>", accounts.demo_entry, name="demo_entry"),
]
