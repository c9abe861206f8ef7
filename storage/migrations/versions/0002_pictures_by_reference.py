"""Pictures by reference, albums, what a chat shows: revision 0002, after 0001."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.base import BigId, UtcTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Alembic does not see a check constraint change: name, before, after.
CHECKS = (
    (
        "ck_evidence_key",
        "(kind in ('photo', 'certificate')) = (key is not null)",
        "(kind in ('photo', 'certificate') and status <> 'arriving') = (key is not null)",
    ),
    (
        "ck_evidence_status",
        "status in ('given', 'asked', 'confirmed', 'declined')",
        "status in ('given', 'arriving', 'asked', 'confirmed', 'declined')",
    ),
    (
        "ck_evidence_confirmation",
        "(kind = 'officer_confirmation') = (status <> 'given')",
        "(kind = 'officer_confirmation') = (status in ('asked', 'confirmed', 'declined'))",
    ),
)


def upgrade() -> None:
    op.create_table(
        "sent_files",
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("account", "key", name=op.f("pk_sent_files")),
    )
    op.create_index(op.f("ix_sent_files_key"), "sent_files", ["key"], unique=False)
    op.create_table(
        "shown",
        sa.Column("contact_id", BigId, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("message_id", BigId, nullable=False),
        sa.Column("last_id", BigId, nullable=False),
        sa.Column("beside", sa.Text(), nullable=False),
        sa.Column("keyboard", sa.Text(), nullable=False),
        sa.Column("menu", sa.Text(), nullable=False),
        sa.Column("outbox_id", BigId, nullable=False),
        sa.Column("protected", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_shown_contact_id")),
        sa.PrimaryKeyConstraint("contact_id", name=op.f("pk_shown")),
    )
    op.create_table(
        "albums",
        sa.Column("contact_id", BigId, nullable=False),
        sa.Column("album", sa.String(128), nullable=False),
        sa.Column("assessment_id", BigId, nullable=True),
        sa.Column("indicator", sa.String(8), nullable=True),
        sa.Column("at", UtcTime(), nullable=False),
        sa.CheckConstraint("(assessment_id is null) = (indicator is null)", name=op.f("ck_albums_landed")),
        sa.ForeignKeyConstraint(["assessment_id"], ["assessments.id"], name=op.f("fk_albums_assessment_id")),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_albums_contact_id")),
        sa.PrimaryKeyConstraint("contact_id", "album", name=op.f("pk_albums")),
    )
    op.create_index(op.f("ix_albums_assessment_id"), "albums", ["assessment_id"], unique=False)
    op.create_index(op.f("ix_albums_at"), "albums", ["at"], unique=False)
    with op.batch_alter_table("evidence") as table:
        for name, _before, after in CHECKS:
            table.drop_constraint(op.f(name), type_="check")
            table.create_check_constraint(op.f(name), sa.text(after))
        table.create_check_constraint(
            op.f("ck_evidence_arriving"), sa.text("status <> 'arriving' or kind in ('photo', 'certificate')")
        )
    op.create_table(
        "arrivals",
        sa.Column("id", BigId, nullable=False),
        sa.Column("evidence_id", BigId, nullable=False),
        sa.Column("contact_id", BigId, nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("address", sa.String(128), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("unique_ref", sa.String(128), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", UtcTime(), nullable=False),
        sa.Column("made_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_arrivals_contact_id")),
        sa.ForeignKeyConstraint(
            ["evidence_id"], ["evidence.id"], name=op.f("fk_arrivals_evidence_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_arrivals")),
        sa.UniqueConstraint("evidence_id", name=op.f("uq_arrivals_evidence_id")),
    )
    op.create_index("ix_arrivals_account_not_before", "arrivals", ["account", "not_before"], unique=False)
    op.create_index(op.f("ix_arrivals_contact_id"), "arrivals", ["contact_id"], unique=False)
    with op.batch_alter_table("assessments") as table:
        table.add_column(sa.Column("handed_in_at", UtcTime(), nullable=True))
        table.create_check_constraint(
            op.f("ck_assessments_handed_in"), sa.text("handed_in_at is null or status in ('draft', 'returned')")
        )
    with op.batch_alter_table("outbox") as table:
        table.add_column(sa.Column("person_id", BigId, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("outbox") as table:
        table.drop_column("person_id")
    with op.batch_alter_table("assessments") as table:
        table.drop_constraint(op.f("ck_assessments_handed_in"), type_="check")
        table.drop_column("handed_in_at")
    op.drop_table("arrivals")
    # A picture still on its way cannot be told in the old tables: it is lost, its citizen must send it again.
    op.execute("DELETE FROM evidence WHERE status = 'arriving'")
    with op.batch_alter_table("evidence") as table:
        table.drop_constraint(op.f("ck_evidence_arriving"), type_="check")
        for name, before, _after in CHECKS:
            table.drop_constraint(op.f(name), type_="check")
            table.create_check_constraint(op.f(name), sa.text(before))
    op.drop_table("albums")
    op.drop_table("shown")
    op.drop_table("sent_files")
