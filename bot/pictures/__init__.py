"""Evidence pictures (ảnh minh chứng) on their way in: :mod:`intake` is the door, :mod:`pool` runs it in processes."""
