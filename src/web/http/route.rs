//! All paths and their meanings.

use http_types::Url;

use crate::web::wall::order::Order;

#[derive(Debug, PartialEq)]
pub enum Route<'a> {
    /// Motion JPEG of the camera with this name.
    Live(&'a str),
    Snapshot(&'a str),
    Wall,
    /// The old protocol.
    Legacy(&'a str),
    Cameras,
    /// The last seconds of the camera with this name.
    Past(&'a str),
    /// Hearing the camera with this name.
    Sound(&'a str),
    /// Steering the camera with this name.
    Ptz(&'a str),
    Health,
    Metrics,
    /// The accounts.
    Users,
    /// What the wall with this name shows; the one without a name has an empty one.
    WallState(&'a str),
    /// What a wall is told.
    WallOrder(&'a str, Order),
    /// The login page, and with POST the begin of a session.
    Login,
    /// The end of a session.
    Logout,
    /// The page and its files; the path still begins with `/`.
    File(&'a str),
}

/// What a request must have for a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: everybody is answered.
    Nothing,
    /// Any login.
    Login,
    /// The right to watch cameras.
    Watch,
    /// The right to details.
    Details,
    /// The right to metrics.
    Metrics,
    /// The right to tell a wall something.
    Show,
    /// The right to steer cameras.
    Ptz,
    /// The right to hear cameras.
    Listen,
    /// Every right to every camera.
    Everything,
}

/// The files of the page that the login page consists of, and those that say nothing about this
/// agent. All others need a login.
const PUBLIC_FOLDERS: [&str; 4] = ["/css/", "/js/", "/texts/", "/reasons/"];
const PUBLIC_FILES: [&str; 2] = ["/login.html", "/favicon.svg"];

impl<'a> Route<'a> {
    /// A path of each kind. A test asks for them all as a stranger, and as somebody with few rights.
    #[cfg(test)]
    pub const EXAMPLES: [&'static str; 21] = [
        "/live/gate",
        "/snapshot/gate",
        "/ws",
        "/ws/gate",
        "/api/cameras",
        "/api/cameras/gate/past",
        "/api/cameras/gate/ptz",
        "/api/cameras/gate/sound",
        "/healthz",
        "/metrics",
        "/api/users",
        "/api/walls/hall",
        "/api/wall/show",
        "/login",
        "/logout",
        "/",
        "/index.html",
        "/status.html",
        "/nothing",
        "/js/login.js",
        "/login.html",
    ];

    pub fn need(&self) -> Need {
        match self {
            Self::Live(_)
            | Self::Snapshot(_)
            | Self::Wall
            | Self::Legacy(_)
            | Self::Cameras
            | Self::WallState(_)
            | Self::Past(_) => Need::Watch,
            Self::WallOrder(..) => Need::Show,
            Self::Ptz(_) => Need::Ptz,
            Self::Sound(_) => Need::Listen,
            Self::Metrics => Need::Metrics,
            Self::Users => Need::Everything,
            // These answer each as it may be answered.
            Self::Health | Self::Login | Self::Logout => Need::Nothing,
            Self::File("/status.html") => Need::Details,
            Self::File(path) => {
                let is_public =
                    PUBLIC_FILES.contains(path) || PUBLIC_FOLDERS.iter().any(|folder| path.starts_with(folder));
                if is_public { Need::Nothing } else { Need::Login }
            }
        }
    }

    /// Whether a browser shows the response as a page.
    pub fn is_page(&self) -> bool {
        matches!(self, Self::File(path) if path.ends_with('/') || path.ends_with(".html"))
    }

    /// The path as it stands in the URL, not decoded: names of cameras and of files need no
    /// percent-encoding, and what is not decoded cannot turn into a slash.
    pub fn of(url: &'a Url) -> Self {
        let path = url.path();
        let is_name = |name: &&str| !name.contains('/');
        let name = |prefix: &str| path.strip_prefix(prefix).filter(is_name);
        let of_camera = |word: &str| path.strip_prefix("/api/cameras/")?.strip_suffix(word).filter(is_name);
        match path {
            "/ws" => Self::Wall,
            "/api/cameras" => Self::Cameras,
            "/healthz" => Self::Health,
            "/metrics" => Self::Metrics,
            "/api/users" => Self::Users,
            "/login" => Self::Login,
            "/logout" => Self::Logout,
            _ => name("/live/")
                .map(Self::Live)
                .or_else(|| name("/snapshot/").map(Self::Snapshot))
                .or_else(|| name("/ws/").map(Self::Legacy))
                .or_else(|| of_camera("/past").map(Self::Past))
                .or_else(|| of_camera("/ptz").map(Self::Ptz))
                .or_else(|| of_camera("/sound").map(Self::Sound))
                .or_else(|| wall(path))
                .unwrap_or(Self::File(path)),
        }
    }
}

/// `/api/wall` is the wall without a name, `/api/walls/NAME` another; a word behind it tells it something.
fn wall(path: &str) -> Option<Route<'_>> {
    let (name, rest) = match path.strip_prefix("/api/walls/") {
        Some(named) => named.split_once('/').map_or((named, ""), |(name, rest)| (name, rest)),
        None => ("", path.strip_prefix("/api/wall")?.trim_start_matches('/')),
    };
    match (path, rest) {
        ("/api/wall", _) => Some(Route::WallState("")),
        (_, "") if !name.is_empty() && !path.ends_with('/') => Some(Route::WallState(name)),
        (_, word) if path.starts_with("/api/wall/") || !name.is_empty() => {
            Some(Route::WallOrder(name, Order::of(word)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_their_rooms() {
        let of = |path: &str| format!("{:?}", Route::of(&Url::parse(&format!("http://x{path}")).unwrap()));
        assert_eq!(of("/live/gate?q=1"), "Live(\"gate\")");
        assert_eq!(of("/ws"), "Wall");
        assert_eq!((of("/api/wall"), of("/api/walls/hall")), ("WallState(\"\")".into(), "WallState(\"hall\")".into()));
        assert_eq!(of("/api/wall/clear"), "WallOrder(\"\", Clear)");
        assert_eq!(of("/api/walls/hall/show"), "WallOrder(\"hall\", Show)");
        for other in ["/api/walls/", "/api/walls/hall/", "/api/walls/hall/show/x", "/api/walls//show", "/api/wallx"] {
            assert_eq!(of(other), format!("File({other:?})"));
        }
        assert_eq!(of("/api/cameras/gate/ptz"), "Ptz(\"gate\")");
        assert_eq!(of("/api/cameras/gate/sound"), "Sound(\"gate\")");
        assert_eq!(of("/api/cameras/a/b/ptz"), "File(\"/api/cameras/a/b/ptz\")");
        assert_eq!(of("/login?to=x"), "Login");
        assert_eq!(of("/login/"), "File(\"/login/\")");
        assert_eq!(of("/ws/gate"), "Legacy(\"gate\")");
        assert_eq!(of("/live/a/b"), "File(\"/live/a/b\")");
        assert_eq!(of("/../../etc/passwd"), "File(\"/etc/passwd\")");
        assert_eq!(of("/live/%2e%2e%2fx"), "Live(\"%2e%2e%2fx\")");
    }
}
