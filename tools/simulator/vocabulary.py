"""Names: what services of a role may be called, and who works on them. Log texts live with the kinds of service."""

from __future__ import annotations

from collections.abc import Iterable

from tools.simulator.dice import Dice
from tools.simulator.scenario import ScenarioError

SERVICE_NAMES: dict[str, tuple[str, ...]] = {
    "edge": ("edge-gateway", "mobile-gateway", "web-gateway", "api-gateway", "public-gateway", "bff-web"),
    "checkout": ("checkout", "checkout-api", "basket-checkout", "cart-checkout", "purchase-flow", "payflow"),
    "orders": ("orders-api", "order-service", "bookings-api", "reservations", "purchase-orders", "order-core"),
    "catalog": ("catalog-api", "product-catalog", "listings", "item-service", "assortment-api", "products"),
    "search": ("search-api", "item-search", "query-service", "finder", "site-search", "lookup-api"),
    "pricing": ("pricing", "price-engine", "quotes-api", "tariff-service", "rates-api", "offer-pricing"),
    "stock": ("inventory", "stock-api", "warehouse-stock", "availability", "stock-levels", "supply-api"),
    "billing": ("billing", "invoicing", "payments-api", "charge-service", "payment-core", "settlement"),
    "ledger": ("ledger", "accounts-ledger", "bookkeeping", "postings-api", "balance-service", "journal-api"),
    "profile": ("profile-api", "customer-profile", "accounts-api", "user-service", "members", "customers"),
    "login": ("auth-service", "identity", "sessions-api", "login-service", "sso", "token-service"),
    "notify": ("notifier", "mailer", "notification-hub", "outbox-mailer", "messages-api", "push-service"),
    "recommend": ("recommendations", "related-items", "suggest-api", "ranking", "personalizer", "discovery"),
    "reports": ("reporting", "report-builder", "analytics-export", "insights-jobs", "statements", "daily-stats"),
    "images": ("image-resizer", "media-api", "thumbnails", "asset-service", "photo-store", "media-renderer"),
    "shipping": ("shipping-api", "delivery", "parcel-tracker", "logistics", "dispatch-api", "fulfilment"),
    "loyalty": ("loyalty", "rewards-api", "points-service", "vouchers", "bonus-api", "coupons"),
    "main_db": ("postgres-main", "orders-db", "pg-primary", "core-postgres", "sales-db", "pg-cluster-a"),
    "side_db": ("postgres-catalog", "catalog-db", "pg-secondary", "content-postgres", "items-db", "pg-cluster-b"),
    "cache": ("redis-cache", "session-redis", "cache-a", "valkey", "shared-cache", "redis-main"),
    "jobs": ("job-runner", "scheduler", "batch-worker", "cron-worker", "task-worker", "background-jobs"),
}

PEOPLE = (
    "a.okafor", "b.lindqvist", "c.moreau", "d.petrescu", "e.tanaka", "f.haddad", "g.oliveira", "h.novak",
    "i.sorensen", "j.mbeki", "k.ramaswamy", "l.fischer", "m.castillo", "n.kowalczyk", "o.demir", "p.vanderberg",
)  # fmt: skip


def service_names(dice: Dice, roles: Iterable[str]) -> dict[str, str]:
    """One name a role; the same seed always gives the same names."""
    return {role: dice.pick(_names_of(role), "name", role) for role in roles}


def _names_of(role: str) -> tuple[str, ...]:
    try:
        return SERVICE_NAMES[role]
    except KeyError:
        known = ", ".join(sorted(SERVICE_NAMES))
        raise ScenarioError(
            f"no names for the role {role!r}; add them to vocabulary.py or use one of {known}"
        ) from None
