"""Every table: revision 0001."""

# ruff: noqa: E501 - Alembic writes a constraint on one line
from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.base import BigId, UtcTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", BigId, nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("actor", sa.String(32), nullable=False),
        sa.Column("action", sa.String(48), nullable=False),
        sa.Column("subject", sa.String(48), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=True),
        sa.Column("details", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_actor"), "audit", ["actor"], unique=False)
    op.create_index(op.f("ix_audit_at"), "audit", ["at"], unique=False)
    op.create_index(op.f("ix_audit_subject"), "audit", ["subject"], unique=False)
    op.create_index(op.f("ix_audit_unit_id"), "audit", ["unit_id"], unique=False)
    op.create_table(
        "claims",
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("event", sa.String(128), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("account", "event", name=op.f("pk_claims")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_claims_at"), "claims", ["at"], unique=False)
    op.create_table(
        "contacts",
        sa.Column("id", BigId, nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("address", sa.String(128), nullable=False),
        sa.Column("provisional", sa.Boolean(), nullable=False),
        sa.Column("reachable", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
        sa.UniqueConstraint("account", "address", name=op.f("uq_contacts_account_address")),
    )
    op.create_table(
        "failed_events",
        sa.Column("id", BigId, nullable=False),
        sa.Column("error_id", sa.String(12), nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("address", sa.String(128), nullable=False),
        sa.Column("event", sa.String(128), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("error", sa.String(500), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("replayed_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failed_events")),
        sa.UniqueConstraint("error_id", name=op.f("uq_failed_events_error_id")),
    )
    op.create_index(op.f("ix_failed_events_address"), "failed_events", ["address"], unique=False)
    op.create_index(op.f("ix_failed_events_at"), "failed_events", ["at"], unique=False)
    op.create_table(
        "jobs",
        sa.Column("id", BigId, nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("address", sa.String(128), nullable=False),
        sa.Column("contact_id", BigId, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(8), nullable=False),
        sa.Column("made_at", UtcTime(), nullable=False),
        sa.CheckConstraint("outcome in ('waiting', 'done', 'failed')", name=op.f("ck_jobs_outcome")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index(op.f("ix_jobs_contact_id"), "jobs", ["contact_id"], unique=False)
    op.create_index(op.f("ix_jobs_outcome"), "jobs", ["outcome"], unique=False)
    op.create_table(
        "officers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("made_at", UtcTime(), nullable=False),
        sa.CheckConstraint("length(name) between 1 and 120", name=op.f("ck_officers_name")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_officers")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", BigId, nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("address", sa.String(128), nullable=False),
        sa.Column("contact_id", BigId, nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("topic", sa.String(64), nullable=True),
        sa.Column("not_before", UtcTime(), nullable=False),
        sa.Column("made_at", UtcTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(9), nullable=False),
        sa.Column("reason", sa.String(200), nullable=True),
        sa.Column("message_id", BigId, nullable=True),
        sa.CheckConstraint("outcome in ('waiting', 'sent', 'failed', 'cancelled')", name=op.f("ck_outbox_outcome")),
        sa.CheckConstraint("priority between 0 and 2", name=op.f("ck_outbox_priority")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index(
        "ix_outbox_address",
        "outbox",
        ["account", "address"],
        unique=False,
        sqlite_where=sa.text("outcome = 'waiting'"),
        postgresql_where=sa.text("outcome = 'waiting'"),
    )
    op.create_index(op.f("ix_outbox_contact_id"), "outbox", ["contact_id"], unique=False)
    op.create_index(
        "ix_outbox_due",
        "outbox",
        ["account", "not_before"],
        unique=False,
        sqlite_where=sa.text("outcome = 'waiting'"),
        postgresql_where=sa.text("outcome = 'waiting'"),
    )
    op.create_index(op.f("ix_outbox_made_at"), "outbox", ["made_at"], unique=False)
    op.create_index(
        "ix_outbox_topic",
        "outbox",
        ["topic"],
        unique=False,
        sqlite_where=sa.text("topic is not null"),
        postgresql_where=sa.text("topic is not null"),
    )
    op.create_table(
        "rollup_mark",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ledger_id", BigId, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollup_mark")),
    )
    op.create_table(
        "units",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("vintage", sa.String(8), nullable=False),
        sa.Column("code", sa.String(8), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.Column("path", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("folded", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("old_district", sa.String(120), nullable=True),
        sa.Column("old_province", sa.String(120), nullable=True),
        sa.CheckConstraint(
            "kind in ('trung_uong', 'tinh', 'thanh_pho', 'xa', 'phuong', 'thi_tran', 'dac_khu', 'huyen', 'chi_hoi', 'to_hoi', 'ban_khuyen_hoc', 'thon', 'ban', 'khu_pho', 'to_dan_pho', 'truong', 'co_quan')",
            name=op.f("ck_units_kind"),
        ),
        sa.CheckConstraint("vintage in ('2025', 'pre-2025')", name=op.f("ck_units_vintage")),
        sa.CheckConstraint("level between 0 and 3", name=op.f("ck_units_level")),
        sa.ForeignKeyConstraint(["parent_id"], ["units.id"], name=op.f("fk_units_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_units")),
        sa.UniqueConstraint("path", name=op.f("uq_units_path")),
        sa.UniqueConstraint("vintage", "code", name=op.f("uq_units_vintage_code")),
    )
    op.create_index("ix_units_level_folded", "units", ["level", "folded"], unique=False)
    op.create_index(op.f("ix_units_parent_id"), "units", ["parent_id"], unique=False)
    op.create_table(
        "counters",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("subject_group", sa.String(32), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.CheckConstraint("n >= 0", name=op.f("ck_counters_n")),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_counters_unit_id")),
        sa.PrimaryKeyConstraint("unit_id", "year", "subject_group", "status", name=op.f("pk_counters")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "invites",
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=True),
        sa.Column("role", sa.String(12), nullable=True),
        sa.Column("officer_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(120), nullable=True),
        sa.Column("made_at", UtcTime(), nullable=False),
        sa.Column("ends_at", UtcTime(), nullable=False),
        sa.Column("used_at", UtcTime(), nullable=True),
        sa.CheckConstraint("(unit_id is null) = (role is null)", name=op.f("ck_invites_role_on_unit")),
        sa.CheckConstraint("unit_id is not null or officer_id is not null", name=op.f("ck_invites_for_whom")),
        sa.ForeignKeyConstraint(["officer_id"], ["officers.id"], name=op.f("fk_invites_officer_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_invites_unit_id")),
        sa.PrimaryKeyConstraint("secret_hash", name=op.f("pk_invites")),
    )
    op.create_table(
        "messages",
        sa.Column("id", BigId, nullable=False),
        sa.Column("contact_id", BigId, nullable=False),
        sa.Column("direction", sa.String(3), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("event", sa.String(128), nullable=False),
        sa.Column("fleeting", sa.Boolean(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.CheckConstraint("direction in ('in', 'out')", name=op.f("ck_messages_direction")),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_messages_contact_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_messages_at"), "messages", ["at"], unique=False)
    op.create_index("ix_messages_contact_id_id", "messages", ["contact_id", "id"], unique=False)
    op.create_index(
        "ix_messages_fleeting",
        "messages",
        ["contact_id"],
        unique=False,
        sqlite_where=sa.text("fleeting"),
        postgresql_where=sa.text("fleeting"),
    )
    op.create_table(
        "officer_contacts",
        sa.Column("contact_id", BigId, nullable=False),
        sa.Column("officer_id", sa.Integer(), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_officer_contacts_contact_id")),
        sa.ForeignKeyConstraint(["officer_id"], ["officers.id"], name=op.f("fk_officer_contacts_officer_id")),
        sa.PrimaryKeyConstraint("contact_id", name=op.f("pk_officer_contacts")),
    )
    op.create_index(op.f("ix_officer_contacts_officer_id"), "officer_contacts", ["officer_id"], unique=False)
    op.create_table(
        "officer_roles",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("officer_id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(12), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        sa.Column("until", UtcTime(), nullable=True),
        sa.CheckConstraint("role in ('reviewer', 'supervisor')", name=op.f("ck_officer_roles_role")),
        sa.ForeignKeyConstraint(["officer_id"], ["officers.id"], name=op.f("fk_officer_roles_officer_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_officer_roles_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_officer_roles")),
        sa.UniqueConstraint("officer_id", "unit_id", "role", name=op.f("uq_officer_roles_officer_id_unit_id_role")),
    )
    op.create_index(op.f("ix_officer_roles_officer_id"), "officer_roles", ["officer_id"], unique=False)
    op.create_index(op.f("ix_officer_roles_unit_id"), "officer_roles", ["unit_id"], unique=False)
    op.create_table(
        "people",
        sa.Column("id", BigId, nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("birth_year", sa.Integer(), nullable=False),
        sa.Column("phone", sa.String(15), nullable=True),
        sa.Column("form", sa.String(8), nullable=False),
        sa.Column("subject_group", sa.String(32), nullable=False),
        sa.Column("joined_at", UtcTime(), nullable=False),
        sa.CheckConstraint("form in ('ong_ba', 'anh_chi', 'ban')", name=op.f("ck_people_form")),
        sa.CheckConstraint("birth_year between 1900 and 2100", name=op.f("ck_people_birth_year")),
        sa.CheckConstraint("length(name) between 1 and 120", name=op.f("ck_people_name")),
        sa.CheckConstraint("phone is null or length(phone) between 8 and 15", name=op.f("ck_people_phone")),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_people_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
    )
    op.create_index(op.f("ix_people_unit_id"), "people", ["unit_id"], unique=False)
    op.create_table(
        "rollup",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("subject_group", sa.String(32), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_rollup_unit_id")),
        sa.PrimaryKeyConstraint("unit_id", "year", "subject_group", "status", name=op.f("pk_rollup")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "seasons",
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("registration_from", sa.Date(), nullable=False),
        sa.Column("registration_to", sa.Date(), nullable=False),
        sa.Column("assessment_from", sa.Date(), nullable=False),
        sa.Column("assessment_to", sa.Date(), nullable=False),
        sa.Column("decision_from", sa.Date(), nullable=False),
        sa.Column("decision_to", sa.Date(), nullable=False),
        sa.CheckConstraint("assessment_from <= assessment_to", name=op.f("ck_seasons_assessment")),
        sa.CheckConstraint("decision_from <= decision_to", name=op.f("ck_seasons_decision")),
        sa.CheckConstraint("registration_from <= registration_to", name=op.f("ck_seasons_registration")),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_seasons_unit_id")),
        sa.PrimaryKeyConstraint("year", "unit_id", name=op.f("pk_seasons")),
    )
    op.create_table(
        "status_ledger",
        sa.Column("id", BigId, nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("assessment_id", BigId, nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("subject_group", sa.String(32), nullable=False),
        sa.Column("before", sa.String(12), nullable=True),
        sa.Column("after", sa.String(12), nullable=True),
        sa.Column("why", sa.String(24), nullable=False),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_status_ledger_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_status_ledger")),
    )
    op.create_index(op.f("ix_status_ledger_assessment_id"), "status_ledger", ["assessment_id"], unique=False)
    op.create_index(op.f("ix_status_ledger_at"), "status_ledger", ["at"], unique=False)
    op.create_index(op.f("ix_status_ledger_unit_id"), "status_ledger", ["unit_id"], unique=False)
    op.create_table(
        "successions",
        sa.Column("old_unit_id", sa.Integer(), nullable=False),
        sa.Column("new_unit_id", sa.Integer(), nullable=False),
        sa.Column("flag", sa.String(24), nullable=False),
        sa.CheckConstraint(
            "flag in ('whole', 'whole_district', 'part_all_population', 'part_suggested', 'part', 'part_population_only', 'part_area_only')",
            name=op.f("ck_successions_flag"),
        ),
        sa.ForeignKeyConstraint(["new_unit_id"], ["units.id"], name=op.f("fk_successions_new_unit_id")),
        sa.ForeignKeyConstraint(["old_unit_id"], ["units.id"], name=op.f("fk_successions_old_unit_id")),
        sa.PrimaryKeyConstraint("old_unit_id", "new_unit_id", name=op.f("pk_successions")),
    )
    op.create_index(op.f("ix_successions_new_unit_id"), "successions", ["new_unit_id"], unique=False)
    op.create_table(
        "unit_names",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("decree", sa.String(64), nullable=True),
        sa.CheckConstraint(
            "kind in ('trung_uong', 'tinh', 'thanh_pho', 'xa', 'phuong', 'thi_tran', 'dac_khu', 'huyen', 'chi_hoi', 'to_hoi', 'ban_khuyen_hoc', 'thon', 'ban', 'khu_pho', 'to_dan_pho', 'truong', 'co_quan')",
            name=op.f("ck_unit_names_kind"),
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_unit_names_unit_id")),
        sa.PrimaryKeyConstraint("unit_id", "valid_from", name=op.f("pk_unit_names")),
    )
    op.create_table(
        "unit_settings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("value", sa.String(200), nullable=True),
        sa.Column("set_at", UtcTime(), nullable=False),
        sa.Column("set_by", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_unit_settings_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit_settings")),
    )
    op.create_index("ix_unit_settings_unit_id_key_id", "unit_settings", ["unit_id", "key", "id"], unique=False)
    op.create_table(
        "uploads",
        sa.Column("contact_id", BigId, nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("source_hash", sa.String(64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("used", sa.Boolean(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_uploads_contact_id")),
        sa.PrimaryKeyConstraint("contact_id", "key", name=op.f("pk_uploads")),
    )
    op.create_index(op.f("ix_uploads_key"), "uploads", ["key"], unique=False)
    op.create_index(
        "ix_uploads_unused",
        "uploads",
        ["at"],
        unique=False,
        sqlite_where=sa.text("not used"),
        postgresql_where=sa.text("not used"),
    )
    op.create_table(
        "assessments",
        sa.Column("id", BigId, nullable=False),
        sa.Column("code", sa.String(20), nullable=False),
        sa.Column("person_id", BigId, nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("subject_group", sa.String(32), nullable=False),
        sa.Column("criteria_id", sa.String(48), nullable=False),
        sa.Column("criteria_version", sa.String(32), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("registered_at", UtcTime(), nullable=False),
        sa.Column("submitted_at", UtcTime(), nullable=True),
        sa.Column("opened_at", UtcTime(), nullable=True),
        sa.Column("decided_at", UtcTime(), nullable=True),
        sa.CheckConstraint("status <> 'submitted' or submitted_at is not null", name=op.f("ck_assessments_submitted")),
        sa.CheckConstraint(
            "status in ('registered', 'draft', 'submitted', 'returned', 'approved', 'not_met', 'withdrawn')",
            name=op.f("ck_assessments_status"),
        ),
        sa.CheckConstraint(
            "status not in ('approved', 'not_met') or decided_at is not null", name=op.f("ck_assessments_decided")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_assessments_person_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_assessments_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessments")),
        sa.UniqueConstraint("code", name=op.f("uq_assessments_code")),
        sa.UniqueConstraint("person_id", "year", name=op.f("uq_assessments_person_id_year")),
    )
    op.create_index(op.f("ix_assessments_person_id"), "assessments", ["person_id"], unique=False)
    op.create_index(
        "ix_assessments_unit_id_status_submitted_at", "assessments", ["unit_id", "status", "submitted_at"], unique=False
    )
    op.create_table(
        "consents",
        sa.Column("id", BigId, nullable=False),
        sa.Column("contact_id", BigId, nullable=False),
        sa.Column("person_id", BigId, nullable=True),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("controller", sa.String(200), nullable=False),
        sa.Column("given_at", UtcTime(), nullable=False),
        sa.Column("withdrawn_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_consents_contact_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_consents_person_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_consents_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    op.create_index(op.f("ix_consents_contact_id"), "consents", ["contact_id"], unique=False)
    op.create_index(op.f("ix_consents_person_id"), "consents", ["person_id"], unique=False)
    op.create_table(
        "contact_person",
        sa.Column("contact_id", BigId, nullable=False),
        sa.Column("person_id", BigId, nullable=False),
        sa.Column("relation", sa.String(16), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        sa.CheckConstraint("relation in ('self', 'household', 'helper')", name=op.f("ck_contact_person_relation")),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_contact_person_contact_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_contact_person_person_id")),
        sa.PrimaryKeyConstraint("contact_id", "person_id", name=op.f("pk_contact_person")),
    )
    op.create_index(op.f("ix_contact_person_person_id"), "contact_person", ["person_id"], unique=False)
    op.create_table(
        "conversations",
        sa.Column("contact_id", BigId, nullable=False),
        sa.Column("person_id", BigId, nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("screen", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("used_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_conversations_contact_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_conversations_person_id")),
        sa.PrimaryKeyConstraint("contact_id", name=op.f("pk_conversations")),
    )
    op.create_index(op.f("ix_conversations_person_id"), "conversations", ["person_id"], unique=False)
    op.create_table(
        "registrations",
        sa.Column("id", BigId, nullable=False),
        sa.Column("person_id", BigId, nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_registrations_person_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_registrations_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registrations")),
    )
    op.create_index(op.f("ix_registrations_person_id"), "registrations", ["person_id"], unique=False)
    op.create_index(op.f("ix_registrations_unit_id"), "registrations", ["unit_id"], unique=False)
    op.create_table(
        "resume_cards",
        sa.Column("handle", sa.String(8), nullable=False),
        sa.Column("person_id", BigId, nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("made_at", UtcTime(), nullable=False),
        sa.Column("wrong_tries", sa.Integer(), nullable=False),
        sa.Column("locked_until", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_resume_cards_person_id")),
        sa.PrimaryKeyConstraint("handle", name=op.f("pk_resume_cards")),
        sa.UniqueConstraint("person_id", name=op.f("uq_resume_cards_person_id")),
    )
    op.create_table(
        "answer_history",
        sa.Column("id", BigId, nullable=False),
        sa.Column("assessment_id", BigId, nullable=False),
        sa.Column("indicator", sa.String(8), nullable=False),
        sa.Column("level", sa.String(24), nullable=True),
        sa.Column("before", sa.String(24), nullable=True),
        sa.Column("what", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(32), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["assessment_id"], ["assessments.id"], name=op.f("fk_answer_history_assessment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answer_history")),
    )
    op.create_index("ix_answer_history_assessment_id", "answer_history", ["assessment_id", "id"], unique=False)
    op.create_table(
        "answers",
        sa.Column("assessment_id", BigId, nullable=False),
        sa.Column("indicator", sa.String(8), nullable=False),
        sa.Column("level", sa.String(24), nullable=False),
        sa.Column("officer_level", sa.String(24), nullable=True),
        sa.Column("officer_reason", sa.Text(), nullable=True),
        sa.Column("officer_id", sa.Integer(), nullable=True),
        sa.Column("return_reason", sa.Text(), nullable=True),
        sa.Column("changed_at", UtcTime(), nullable=False),
        sa.CheckConstraint("(officer_level is null) = (officer_reason is null)", name=op.f("ck_answers_officer_level")),
        sa.CheckConstraint("length(officer_reason) <= 500", name=op.f("ck_answers_officer_reason")),
        sa.ForeignKeyConstraint(["assessment_id"], ["assessments.id"], name=op.f("fk_answers_assessment_id")),
        sa.ForeignKeyConstraint(["officer_id"], ["officers.id"], name=op.f("fk_answers_officer_id")),
        sa.PrimaryKeyConstraint("assessment_id", "indicator", name=op.f("pk_answers")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "evidence",
        sa.Column("id", BigId, nullable=False),
        sa.Column("assessment_id", BigId, nullable=False),
        sa.Column("indicator", sa.String(8), nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("key", sa.String(64), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("settled_by", sa.Integer(), nullable=True),
        sa.Column("at", UtcTime(), nullable=False),
        sa.CheckConstraint(
            "(kind = 'officer_confirmation') = (status <> 'given')", name=op.f("ck_evidence_confirmation")
        ),
        sa.CheckConstraint("(kind in ('photo', 'certificate')) = (key is not null)", name=op.f("ck_evidence_key")),
        sa.CheckConstraint(
            "kind in ('text', 'photo', 'certificate', 'link', 'officer_confirmation')", name=op.f("ck_evidence_kind")
        ),
        sa.CheckConstraint("status in ('given', 'asked', 'confirmed', 'declined')", name=op.f("ck_evidence_status")),
        sa.CheckConstraint("length(text) <= 2000", name=op.f("ck_evidence_text")),
        sa.ForeignKeyConstraint(["assessment_id"], ["assessments.id"], name=op.f("fk_evidence_assessment_id")),
        sa.ForeignKeyConstraint(["settled_by"], ["officers.id"], name=op.f("fk_evidence_settled_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
    )
    op.create_index("ix_evidence_assessment_id_indicator", "evidence", ["assessment_id", "indicator"], unique=False)
    op.create_index(op.f("ix_evidence_key"), "evidence", ["key"], unique=False)
    op.create_index("uq_evidence_picture", "evidence", ["assessment_id", "indicator", "key"], unique=True)
    op.create_table(
        "reviews",
        sa.Column("id", BigId, nullable=False),
        sa.Column("assessment_id", BigId, nullable=False),
        sa.Column("officer_id", sa.Integer(), nullable=False),
        sa.Column("decision", sa.String(8), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("undo_until", UtcTime(), nullable=False),
        sa.Column("undone_at", UtcTime(), nullable=True),
        sa.CheckConstraint("decision = 'approve' or reason is not null", name=op.f("ck_reviews_reason")),
        sa.CheckConstraint("decision in ('approve', 'not_met', 'return')", name=op.f("ck_reviews_decision")),
        sa.CheckConstraint("length(reason) <= 500", name=op.f("ck_reviews_reason_length")),
        sa.ForeignKeyConstraint(["assessment_id"], ["assessments.id"], name=op.f("fk_reviews_assessment_id")),
        sa.ForeignKeyConstraint(["officer_id"], ["officers.id"], name=op.f("fk_reviews_officer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviews")),
    )
    op.create_index(op.f("ix_reviews_assessment_id"), "reviews", ["assessment_id"], unique=False)
    op.create_index(op.f("ix_reviews_officer_id"), "reviews", ["officer_id"], unique=False)
    op.create_table(
        "returned_questions",
        sa.Column("review_id", BigId, nullable=False),
        sa.Column("indicator", sa.String(8), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint("length(reason) between 1 and 500", name=op.f("ck_returned_questions_reason")),
        sa.ForeignKeyConstraint(["review_id"], ["reviews.id"], name=op.f("fk_returned_questions_review_id")),
        sa.PrimaryKeyConstraint("review_id", "indicator", name=op.f("pk_returned_questions")),
    )


def downgrade() -> None:
    op.drop_table("returned_questions")
    op.drop_table("reviews")
    op.drop_table("evidence")
    op.drop_table("answers")
    op.drop_table("answer_history")
    op.drop_table("resume_cards")
    op.drop_table("registrations")
    op.drop_table("conversations")
    op.drop_table("contact_person")
    op.drop_table("consents")
    op.drop_table("assessments")
    op.drop_table("uploads")
    op.drop_table("unit_settings")
    op.drop_table("unit_names")
    op.drop_table("successions")
    op.drop_table("status_ledger")
    op.drop_table("seasons")
    op.drop_table("rollup")
    op.drop_table("people")
    op.drop_table("officer_roles")
    op.drop_table("officer_contacts")
    op.drop_table("messages")
    op.drop_table("invites")
    op.drop_table("counters")
    op.drop_table("units")
    op.drop_table("rollup_mark")
    op.drop_table("outbox")
    op.drop_table("officers")
    op.drop_table("jobs")
    op.drop_table("failed_events")
    op.drop_table("contacts")
    op.drop_table("claims")
    op.drop_table("audit")
