//! Shell scripts in place of the worker's program: they fail in ways the real worker does not.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::ipc::Message;

/// A program in a folder of its own, removed with the value.
pub struct StandIn(PathBuf);

impl StandIn {
    /// `body` is a shell script; its standard input is the socket to the agent, and its folder is `$here`.
    pub fn new(body: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("cctv-stand-in-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let this = Self(folder);
        // Written by another process: a program that this process has open for writing, or that
        // another test's child inherited until its exec, cannot be started.
        let script = format!("#!/bin/sh\nhere={}\n{body}\n", this.0.display());
        let writer = "printf %s \"$1\" >\"$0\" && chmod 755 \"$0\"";
        let written = Command::new("/bin/sh").args(["-c", writer]).arg(this.program()).arg(script).status();
        assert!(written.unwrap().success());
        this
    }

    pub fn program(&self) -> PathBuf {
        self.0.join("worker")
    }

    /// The content that the script wrote to file `name` in its folder.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }

    /// Writes messages to file `name` in its folder, for the script to send.
    pub fn write(&self, name: &str, messages: &[impl Message]) {
        let mut bytes = Vec::new();
        messages.iter().for_each(|message| message.encode(&mut bytes));
        fs::write(self.0.join(name), bytes).unwrap();
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
