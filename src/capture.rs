//! The agent's side of a worker: start, talk, measure, kill.
