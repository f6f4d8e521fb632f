//! `cctv-agent users`: the users of the running agent, and when each was last seen.

use std::{
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use super::{
    agent_client,
    arguments::QueryArgs,
    output::{print, print_json},
    table::{Side, aligned, shortened, shown},
};
use crate::text::duration;

/// Maximum width of the list of cameras, in terminal cells.
const WIDEST_CAMERAS: usize = 40;

/// Asks the running agent and prints its users, or one line to stderr if no agent answers.
///
/// # Blocking
/// Blocks on the disk, and some seconds for each address that does not answer.
pub fn run(question: &QueryArgs) -> ExitCode {
    match agent_client::users(&question.file) {
        Ok(answer) if question.json => print_json(&answer),
        Ok(answer) => print(&as_text(&answer, SystemTime::now())),
        Err(code) => return code,
    }
    ExitCode::SUCCESS
}

fn as_text(answer: &Value, now: SystemTime) -> String {
    let users: Vec<&Value> = answer["users"].as_array().into_iter().flatten().collect();
    if users.is_empty() {
        return "no users; `cctv-agent passwd NAME` makes one\n".to_owned();
    }
    let heading = ["name", "login", "may", "sessions", "seen", "cameras"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(heading).chain(users.into_iter().map(|user| row(user, now))).collect();
    let sides = [Side::Left, Side::Left, Side::Left, Side::Right, Side::Left, Side::Left];
    aligned(&rows, sides).into_iter().map(|line| line + "\n").collect()
}

fn row(user: &Value, now: SystemTime) -> [String; 6] {
    let text = |value: &Value| shown(value.as_str().unwrap_or_default());
    let list = |value: &Value| value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>().join(" ");
    let seen = user["last_seen"].as_f64().map_or_else(
        || "not yet".to_owned(),
        |seen| {
            let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
            format!("{} ago", duration((now - seen).max(0.0)))
        },
    );
    let cameras = if user["cameras"].is_null() { "all".to_owned() } else { list(&user["cameras"]) };
    [
        text(&user["name"]),
        text(&user["login"]),
        list(&user["may"]),
        user["sessions"].to_string(),
        seen,
        shortened(&cameras, WIDEST_CAMERAS),
    ]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    #[test]
    fn each_user_has_a_line() {
        let answer = json!({ "users": [
            { "name": "guard", "login": "password", "may": ["watch", "details"], "cameras": ["gate", "yard"], "sessions": 2, "last_seen": 1000.0 },
            { "name": "tv", "login": "token", "may": ["watch"], "cameras": null, "sessions": 0, "last_seen": null },
        ]});
        let text = as_text(&answer, UNIX_EPOCH + Duration::from_secs(1060));
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["name", "login", "may", "sessions", "seen", "cameras"]);
        assert_eq!(lines[1][..5], ["guard", "password", "watch", "details", "2"]);
        assert!(lines[1].ends_with(&["ago", "gate", "yard"]), "{text}");
        assert_eq!(lines[2], ["tv", "token", "watch", "0", "not", "yet", "all"]);
        assert!(as_text(&json!({ "users": [] }), UNIX_EPOCH).starts_with("no users"));
    }
}
