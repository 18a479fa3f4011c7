"""The pages' URLs. The API has its own in runs/api, the socket in runs/routing.py."""

from django.contrib.auth import views as auth
from django.urls import path

from runs.views import runs

urlpatterns = [
    path("", runs.run_list, name="run_list"),
    path("runs/new", runs.run_new, name="run_new"),
    path("login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
]
