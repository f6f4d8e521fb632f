//! Front door: finds the subcommand and turns its outcome into the exit code.

fn main() {}
