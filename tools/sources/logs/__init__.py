"""Log back ends: one file each, with what they share (entries, levels, masks) beside them."""
