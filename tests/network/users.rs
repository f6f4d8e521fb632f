//! Other machines are served only once there is somebody to log in.

use std::{
    io::Write as _,
    net::TcpStream,
    process::{Command, Stdio},
};

use crate::support::{Agent, Folder, agent_program, network::Network, wait_for};

#[test]
fn address_of_the_network_is_not_served_before_there_is_a_user() {
    let Some(network) = Network::new() else { return };
    let (wall, outside) = (network.host(), network.host());
    let address = format!("{}:8080", wall.address());
    let own = "127.0.0.1:8080";
    let agent = wall.within(|| {
        let folder = Folder::new();
        let state = folder.0.join("state");
        folder
            .write("cameras.toml", &format!("[server]\nlisten = \"{address}\"\nstate_dir = \"{}\"\n", state.display()));
        let agent = Agent::spawn(folder, own.to_owned(), Command::new(agent_program()));
        let complaints = agent.api()["complaints"].clone();
        assert!(complaints[0].as_str().unwrap().contains("listen reaches other machines"), "{complaints}");
        agent.wait_for_log(&["listen reaches other machines"]);
        let status = Command::new(agent_program())
            .args(["status", "--config"])
            .arg(agent.folder.0.join("cameras.toml"))
            .output()
            .unwrap();
        let (out, errors) = (String::from_utf8_lossy(&status.stdout), String::from_utf8_lossy(&status.stderr));
        assert!(format!("{out}{errors}").contains("listen reaches other machines"), "{out}{errors}");
        agent
    });
    assert!(outside.within(|| TcpStream::connect(&address)).is_err(), "nobody listens there");

    // One command makes the user, and the agent opens the address.
    wall.within(|| {
        let mut passwd = Command::new(agent_program())
            .args(["passwd", "guard", "--stdin", "--config"])
            .arg(agent.folder.0.join("cameras.toml"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        passwd.stdin.take().unwrap().write_all(b"correct horse").unwrap();
        assert!(passwd.wait().unwrap().success());
    });
    outside.within(|| wait_for("the address to be served", || TcpStream::connect(&address).ok()));
    // The machine's own wall and its commands need no login, although `listen` names another address.
    let complaints = wall.within(|| agent.api())["complaints"].clone();
    assert_eq!(complaints, serde_json::json!([]));
    let users = wall.within(|| {
        let file = agent.folder.0.join("cameras.toml");
        Command::new(agent_program()).args(["users", "--config"]).arg(file).output().unwrap()
    });
    assert!(String::from_utf8_lossy(&users.stdout).contains("guard"), "{}", String::from_utf8_lossy(&users.stderr));
}
