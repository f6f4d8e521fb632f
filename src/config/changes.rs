//! The differences between two configurations, grouped by the action that each one needs.
//!
//! What did not change is not touched: a camera is reconnected only if its stream source differs,
//! and viewers of the other cameras do not notice a reload.

use std::{fmt, net::SocketAddr};

use super::{Config, schema, server_keys};
use crate::camera::{Camera, CameraId};

/// The actions that lead from one configuration to another. Every camera of either configuration is
/// in exactly one of the six lists, each in file order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Cameras to start.
    pub added: Vec<Camera>,
    /// Cameras to stop; the agent notifies their viewers.
    pub removed: Vec<CameraId>,
    /// The stream source differs, so the stream is opened again.
    /// Name and tuning may differ as well.
    pub reconnect: Vec<Camera>,
    /// Only the small stream's profile differs, and maybe name and tuning. The main stream goes on.
    pub small_changed: Vec<Camera>,
    /// Only name or tuning differ. The change applies from the next frame on.
    pub retuned: Vec<Camera>,
    pub unchanged: Vec<CameraId>,
    /// Whether the cameras that are in both configurations are in another order.
    pub reordered: bool,
    /// Addresses on which to start listening.
    pub listen_added: Vec<SocketAddr>,
    /// Addresses on which to stop listening.
    pub listen_removed: Vec<SocketAddr>,
    pub without_login_changed: bool,
    /// Users were added, removed or changed.
    pub users_changed: bool,
    pub names_changed: bool,
    pub embed_changed: bool,
    pub trusted_proxies_changed: bool,
    pub plain_http_changed: bool,
    pub tls_changed: bool,
    pub www_changed: bool,
    pub state_dir_changed: bool,
    pub discovery_port_changed: bool,
    pub limits_changed: bool,
    pub watchdog_changed: bool,
    /// The settings of the walls differ.
    pub walls_changed: bool,
    pub rules_changed: bool,
    pub mqtt_changed: bool,
}

impl Changes {
    /// Compares two configurations.
    pub fn between(old: &Config, new: &Config) -> Self {
        let mut changes = Self {
            listen_added: missing_from(&old.server.listen, &new.server.listen),
            listen_removed: missing_from(&new.server.listen, &old.server.listen),
            without_login_changed: old.server.without_login != new.server.without_login,
            users_changed: old.users != new.users,
            names_changed: old.server.names != new.server.names,
            embed_changed: old.server.embed != new.server.embed,
            trusted_proxies_changed: old.server.trusted_proxies != new.server.trusted_proxies,
            plain_http_changed: old.server.plain_http != new.server.plain_http,
            tls_changed: old.tls != new.tls,
            www_changed: old.server.www != new.server.www,
            state_dir_changed: old.server.state_dir != new.server.state_dir,
            discovery_port_changed: old.server.discovery_port != new.server.discovery_port,
            limits_changed: old.limits != new.limits,
            watchdog_changed: old.watchdog != new.watchdog,
            walls_changed: old.walls != new.walls,
            rules_changed: old.rules != new.rules,
            mqtt_changed: old.mqtt != new.mqtt,
            reordered: stayed(old, new) != stayed(new, old),
            ..Self::default()
        };
        changes.removed = old.cameras.iter().map(|c| &c.id).filter(|id| find(new, id).is_none()).cloned().collect();
        for camera in &new.cameras {
            match find(old, &camera.id) {
                None => changes.added.push(camera.clone()),
                Some(before) if !before.stream_source.eq_main(&camera.stream_source) => {
                    changes.reconnect.push(camera.clone())
                }
                Some(before) if before.stream_source != camera.stream_source => {
                    changes.small_changed.push(camera.clone())
                }
                Some(before) if before != camera => changes.retuned.push(camera.clone()),
                Some(_) => changes.unchanged.push(camera.id.clone()),
            }
        }
        changes
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        *self == Self { unchanged: self.unchanged.clone(), ..Self::default() }
    }
}

/// The text for the log, such as `1 camera added, 2 reconnected, 5 unchanged`.
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.added.len(), "added"),
            (self.removed.len(), "removed"),
            (self.reconnect.len(), "reconnected"),
            (self.small_changed.len(), "with another small stream"),
            (self.retuned.len(), "retuned"),
            (self.unchanged.len(), "unchanged"),
        ];
        let mut parts: Vec<String> = Vec::new();
        for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
            let noun = match (parts.is_empty(), count) {
                (true, 1) => " camera",
                (true, _) => " cameras",
                (false, _) => "",
            };
            parts.push(format!("{count}{noun} {what}"));
        }
        let flags = [
            (self.reordered, "order"),
            (!self.listen_added.is_empty() || !self.listen_removed.is_empty(), server_keys::LISTEN.name),
            (self.without_login_changed, server_keys::WITHOUT_LOGIN.name),
            (self.users_changed, "users"),
            (self.names_changed, server_keys::NAMES.name),
            (self.embed_changed, server_keys::EMBED.name),
            (self.trusted_proxies_changed, server_keys::TRUSTED_PROXIES.name),
            (self.plain_http_changed, server_keys::PLAIN_HTTP.name),
            (self.tls_changed, schema::TLS.name),
            (self.www_changed, server_keys::WWW.name),
            (self.state_dir_changed, server_keys::STATE_DIR.name),
            (self.discovery_port_changed, server_keys::DISCOVERY_PORT.name),
            (self.limits_changed, schema::LIMITS.name),
            (self.watchdog_changed, schema::WATCHDOG.name),
            (self.walls_changed, schema::WALL.name),
            (self.rules_changed, "rules"),
            (self.mqtt_changed, schema::MQTT.name),
        ];
        parts.extend(flags.into_iter().filter(|(changed, _)| *changed).map(|(_, what)| format!("{what} changed")));
        if parts.is_empty() { f.write_str("no cameras") } else { f.write_str(&parts.join(", ")) }
    }
}

fn find<'c>(config: &'c Config, id: &CameraId) -> Option<&'c Camera> {
    config.cameras.iter().find(|camera| camera.id == *id)
}

/// Returns the identifiers of `here` that are also in `there`, in the order of `here`.
fn stayed<'c>(here: &'c Config, there: &Config) -> Vec<&'c CameraId> {
    here.cameras.iter().map(|camera| &camera.id).filter(|id| find(there, id).is_some()).collect()
}

fn missing_from(those: &[SocketAddr], these: &[SocketAddr]) -> Vec<SocketAddr> {
    these.iter().filter(|address| !those.contains(address)).copied().collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn config(text: &str) -> Config {
        let no_files = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        super::super::parse(text, Path::new("cameras.toml"), &no_files).unwrap()
    }

    fn ids(cameras: &[Camera]) -> Vec<&str> {
        cameras.iter().map(|camera| camera.id.as_str()).collect()
    }

    const THREE: &str = "[[camera]]\nid='a'\nip='10.0.0.1'\n[[camera]]\nid='b'\nip='10.0.0.2'\n\
                         [[camera]]\nid='c'\nip='10.0.0.3'\n";

    #[test]
    fn same_file_changes_nothing() {
        let changes = Changes::between(&config(THREE), &config(THREE));
        assert!(changes.is_empty(), "{changes:?}");
        assert_eq!(changes.to_string(), "3 cameras unchanged");
    }

    #[test]
    fn each_camera_is_in_the_group_of_its_change() {
        let new = "[[camera]]\nid='a'\nip='10.0.0.9'\n[[camera]]\nid='b'\nip='10.0.0.2'\nquality=50\n\
                   [[camera]]\nid='d'\nip='10.0.0.4'\n";
        let changes = Changes::between(&config(THREE), &config(new));
        assert_eq!(ids(&changes.reconnect), ["a"]);
        assert_eq!(ids(&changes.retuned), ["b"]);
        assert_eq!(ids(&changes.added), ["d"]);
        assert_eq!(changes.removed.iter().map(CameraId::as_str).collect::<Vec<_>>(), ["c"]);
        assert!(changes.unchanged.is_empty() && !changes.reordered && !changes.is_empty());
        assert_eq!(changes.to_string(), "1 camera added, 1 removed, 1 reconnected, 1 retuned");
    }

    #[test]
    fn new_name_does_not_reconnect() {
        let new = THREE.replace("id='b'", "id='b'\nname='Back door'");
        let changes = Changes::between(&config(THREE), &config(&new));
        assert_eq!(ids(&changes.retuned), ["b"]);
        assert!(changes.reconnect.is_empty());
    }

    #[test]
    fn new_password_reconnects_only_the_cameras_that_use_it() {
        let old = format!("[defaults]\nusername='u'\npassword='p'\n{THREE}username='own'\npassword='own'\n");
        let new = old.replace("'p'", "'q'");
        let changes = Changes::between(&config(&old), &config(&new));
        assert_eq!(ids(&changes.reconnect), ["a", "b"]);
        assert_eq!(changes.unchanged.len(), 1);
    }

    #[test]
    fn another_small_profile_leaves_the_main_stream_alone() {
        let new = THREE.replace("id='b'", "id='b'\nsmall_profile='Profile_2'\nquality=50");
        let changes = Changes::between(&config(THREE), &config(&new));
        assert_eq!(
            (ids(&changes.small_changed), ids(&changes.reconnect), ids(&changes.retuned)),
            (vec!["b"], vec![], vec![])
        );
        assert_eq!(changes.to_string(), "1 camera with another small stream, 2 unchanged");
    }

    #[test]
    fn disabling_a_camera_removes_it() {
        let new = THREE.replace("id='b'", "id='b'\nenabled=false");
        assert_eq!(Changes::between(&config(THREE), &config(&new)).removed, [CameraId::new("b").unwrap()]);
    }

    #[test]
    fn another_order_is_noticed_but_touches_no_camera() {
        let new = "[[camera]]\nid='c'\nip='10.0.0.3'\n[[camera]]\nid='a'\nip='10.0.0.1'\n\
                   [[camera]]\nid='b'\nip='10.0.0.2'\n";
        let changes = Changes::between(&config(THREE), &config(new));
        assert!(changes.reordered && changes.unchanged.len() == 3, "{changes:?}");
    }

    #[test]
    fn removing_a_camera_is_not_another_order() {
        let new = "[[camera]]\nid='a'\nip='10.0.0.1'\n[[camera]]\nid='c'\nip='10.0.0.3'\n";
        assert!(!Changes::between(&config(THREE), &config(new)).reordered);
    }

    #[test]
    fn other_limits_touch_no_camera() {
        let changes = Changes::between(&config(THREE), &config(&format!("[limits]\nviewers=2\n{THREE}")));
        assert!(changes.limits_changed && changes.unchanged.len() == 3 && !changes.is_empty());
        assert_eq!(changes.to_string(), "3 cameras unchanged, limits changed");
    }

    #[test]
    fn another_wall_touches_no_camera() {
        let changes = Changes::between(&config(THREE), &config(&format!("{THREE}[wall]\nlayout=4\n")));
        assert!(changes.walls_changed && changes.unchanged.len() == 3 && !changes.is_empty());
        assert_eq!(changes.to_string(), "3 cameras unchanged, wall changed");
    }

    #[test]
    fn server_changes_are_told_apart() {
        let old = config("[server]\nlisten=['127.0.0.1:1', '127.0.0.1:2']\nwww='/a'\n");
        let new = config(
            "[server]\nlisten=['127.0.0.1:2', '127.0.0.1:3']\nwww='/b'\ndiscovery_port=3703\n\
                          names=['wall']\nembed=['http://a']\n\
                          [watchdog]\ndevice='/dev/watchdog'\n",
        );
        let changes = Changes::between(&old, &new);
        assert_eq!(changes.listen_added, ["127.0.0.1:3".parse().unwrap()]);
        assert_eq!(changes.listen_removed, ["127.0.0.1:1".parse().unwrap()]);
        assert!(changes.www_changed && changes.discovery_port_changed && !changes.state_dir_changed);
        assert!(changes.watchdog_changed && changes.names_changed && changes.embed_changed);
        let words =
            "listen changed, names changed, embed changed, www changed, discovery_port changed, watchdog changed";
        assert_eq!(changes.to_string(), words);
    }
}
