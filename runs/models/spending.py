"""Spending: what the installation spends on models in one day."""

from __future__ import annotations

from django.db import models


class Spending(models.Model):
    """One row a UTC day. Reserved before a model call, settled after it, so that parallel runs cannot pass the cap."""

    day = models.DateField(unique=True)
    reserved_micro_usd = models.PositiveBigIntegerField(default=0)
    spent_micro_usd = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "spending"

    def __str__(self) -> str:
        return f"{self.day}: {self.spent_micro_usd} µ$"
