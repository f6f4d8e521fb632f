//! The whole: one keeper per camera, signals, reload.
