//! Lanes, mailboxes and the wall.
