//! syslog or stderr behind the `log` facade.
