"""The pages' URLs. The API has its own in runs/api, the socket in runs/routing.py."""

from django.contrib.auth import views as auth
from django.urls import path, re_path

from runs.views import accounts, approvals, evidence, links, report, run, runs, tickets

urlpatterns = [
    path("", runs.run_list, name="run_list"),
    path("runs/new", runs.run_new, name="run_new"),
    path("runs/newer", runs.run_count_newer, name="run_count_newer"),
    path("runs/<int:pk>/", run.run_page, name="run"),
    path("runs/<int:pk>/top", run.run_top, name="run_top"),
    path("runs/<int:pk>/cancel", run.run_cancel, name="run_cancel"),
    path("runs/<int:pk>/start", run.run_start, name="run_start"),
    path("runs/<int:pk>/hold", run.run_hold, name="run_hold"),
    path("runs/<int:pk>/release", run.run_release, name="run_release"),
    path("runs/<int:pk>/note", run.run_note, name="run_note"),
    path("runs/<int:pk>/ask", run.run_ask, name="run_ask"),
    path("runs/<int:pk>/report.html", report.report_as_file, name="report_file"),
    path("runs/<int:pk>/report.md", report.report_as_markdown, name="report_markdown"),
    path("runs/<int:pk>/report.json", report.report_as_json, name="report_json"),
    re_path(
        r"^runs/(?P<pk>[0-9]{1,18})/evidence/(?P<name>(?:S[1-9][0-9]{0,2}\.)?E[1-9][0-9]{0,5})$",
        evidence.evidence_page,
        name="evidence",
    ),
    path("login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("approvals/", approvals.approval_list, name="approval_list"),
    path("approvals/<int:pk>/", approvals.approval_page, name="approval"),
    path("approvals/<int:pk>/part", approvals.approval_part, name="approval_part"),
    path("approvals/<int:pk>/decide", approvals.approval_decide, name="approval_decide"),
    path("open/<str:word>", links.approval_link, name="approval_link"),
    path("approvals/<int:pk>/edit", approvals.approval_edit, name="approval_edit"),
    path("tickets/", tickets.ticket_list, name="ticket_list"),
    path("tickets/<str:name>", tickets.ticket_page, name="ticket"),
    path("tickets/<str:name>/state", tickets.ticket_state, name="ticket_state"),
    path("account/", accounts.account, name="account"),
    path("account/password", accounts.PasswordChange.as_view(), name="password"),
    path("account/tokens", accounts.token_issue, name="token_issue"),
    path("account/tokens/<int:pk>/revoke", accounts.token_revoke, name="token_revoke"),
    path("setup/<str:token>", accounts.setup, name="setup"),
    path("demo/<str:username>/<str:token>", accounts.demo_entry, name="demo_entry"),
]
