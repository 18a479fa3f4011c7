"""The record's tables, one noun a file. Written only by runs.services."""

from runs.models.approval import Approval, Vote
from runs.models.call import ToolCall
from runs.models.event import AuditEvent
from runs.models.evidence import Evidence
from runs.models.installation import Installation
from runs.models.notification import Notification, NotificationTarget
from runs.models.policy import PolicyRule
from runs.models.run import Run
from runs.models.spending import Spending
from runs.models.step import Step
from runs.models.team import Membership, Team
from runs.models.ticket import Ticket, TicketComment
from runs.models.token import ApiToken

__all__ = [
    "ApiToken",
    "Approval",
    "AuditEvent",
    "Evidence",
    "Installation",
    "Membership",
    "Notification",
    "NotificationTarget",
    "PolicyRule",
    "Run",
    "Spending",
    "Step",
    "Team",
    "Ticket",
    "TicketComment",
    "ToolCall",
    "Vote",
]
