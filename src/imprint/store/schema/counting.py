"""Triggers that count what each class holds, so that no way of writing a support is missed."""

from __future__ import annotations

_ADDED = (
    "INSERT INTO usage (collection, label, n_live, n_bytes) VALUES (NEW.collection, "
    "coalesce(NEW.label, ''), NEW.removed_sequence IS NULL, NEW.size_bytes) "
    "ON CONFLICT (collection, label) DO UPDATE SET n_live = n_live + excluded.n_live, "
    "n_bytes = n_bytes + excluded.n_bytes;"
)
_LEFT = (
    "UPDATE usage SET n_live = n_live - (OLD.removed_sequence IS NULL), "
    "n_bytes = n_bytes - OLD.size_bytes "
    "WHERE collection = OLD.collection AND label = coalesce(OLD.label, '');"
)
USAGE_TRIGGERS = (
    f"CREATE TRIGGER usage_adds AFTER INSERT ON supports BEGIN {_ADDED} END",
    f"CREATE TRIGGER usage_leaves AFTER DELETE ON supports BEGIN {_LEFT} END",
    (
        "CREATE TRIGGER usage_changes AFTER UPDATE OF collection, label, removed_sequence, "
        f"size_bytes ON supports BEGIN {_LEFT} {_ADDED} END"
    ),
    (
        "CREATE TRIGGER usage_ends AFTER DELETE ON collections "
        "BEGIN DELETE FROM usage WHERE collection = OLD.id; END"
    ),
)
