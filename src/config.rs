//! `cameras.toml`: text to `Config`, or every complaint at once.
