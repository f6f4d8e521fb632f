//! One scenario for each way in which a camera can fail: what the wall says, how soon, and that it
//! recovers.

mod absence;
mod changes;
mod crowd;
mod login;
mod on_the_wire;
mod player;
mod rubbish;
mod scenario;
mod silence;
