//! A camera that sends to a group, through a switch that forwards a group only where it is wanted.

use std::{process::Command, time::Instant};

use crate::support::{Agent, Cameras, Folder, MotionJpeg, agent_program, configuration, network::Network, wait_for};

const GROUP: &str = "239.255.55.1";

/// Memberships that the switch forgets after 2 s, as one does in a network without a querier.
const FORGETS_AFTER: &str = "200";

#[test]
fn group_that_the_switch_forgets_is_joined_again_before_the_picture_is_old() {
    let Some(network) = Network::new() else { return };
    if !network.snoop(FORGETS_AFTER) {
        return;
    }
    let (yard, wall) = (network.host(), network.host());
    let keys = "size=320x184 small=none fps=10 gop=10 server=gstreamer";
    let cameras = yard.within(|| {
        let ip = yard.address();
        Cameras::start(&[&format!("id=gate {keys} ip={ip} group={GROUP}")])
    });
    let address = "127.0.0.1:8080".to_owned();
    let agent = wall.within(|| {
        let folder = Folder::new();
        // Two tiles of one group: the machine joins it once.
        let tile = |id| format!("[[camera]]\nid = \"{id}\"\ntransport = \"multicast\"\n{}", cameras.place("gate"));
        folder.write("cameras.toml", &configuration(&address, &folder, &(tile("gate") + &tile("again"))));
        let agent = Agent::spawn(folder, address.clone(), Command::new(agent_program()));
        agent.wait_for_state("gate", "live");
        agent.wait_for_state("again", "live");
        agent
    });
    wall.within(|| {
        let groups = std::fs::read_to_string("/proc/thread-self/net/igmp").unwrap();
        assert_eq!(groups.matches("0137FFEF").count(), 1, "{groups}");
        let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
        let (began, mut pictures) = (Instant::now(), 0);
        wait_for("three times that the group was forgotten", || {
            let part = viewer.next();
            assert!(part.sequence.is_some(), "a card after {:?} and {pictures} pictures", began.elapsed());
            pictures += 1;
            (agent.log_text().matches("gate: the group is silent and is joined again").count() >= 3).then_some(())
        });
        for id in ["gate", "again"] {
            let camera = agent.camera(id);
            assert_eq!((&camera["state"], &camera["reconnects"]), (&"live".into(), &0.into()), "{camera}");
        }
    });
}
