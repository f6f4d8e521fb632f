//! All paths and their meanings.

use http_types::Url;

#[derive(Debug, PartialEq)]
pub enum Route<'a> {
    /// Motion JPEG of the camera with this name.
    Live(&'a str),
    Snapshot(&'a str),
    Wall,
    /// The old protocol.
    Legacy(&'a str),
    Cameras,
    Health,
    Metrics,
    /// The page and its files; the path still begins with `/`.
    File(&'a str),
}

impl<'a> Route<'a> {
    /// The path as it stands in the URL, not decoded: names of cameras and of files need no
    /// percent-encoding, and what is not decoded cannot turn into a slash.
    pub fn of(url: &'a Url) -> Self {
        let path = url.path();
        let name = |prefix: &str| path.strip_prefix(prefix).filter(|name| !name.contains('/'));
        match path {
            "/ws" => Self::Wall,
            "/api/cameras" => Self::Cameras,
            "/healthz" => Self::Health,
            "/metrics" => Self::Metrics,
            _ => name("/live/")
                .map(Self::Live)
                .or_else(|| name("/snapshot/").map(Self::Snapshot))
                .or_else(|| name("/ws/").map(Self::Legacy))
                .unwrap_or(Self::File(path)),
        }
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
        assert_eq!(of("/ws/gate"), "Legacy(\"gate\")");
        assert_eq!(of("/live/a/b"), "File(\"/live/a/b\")");
        assert_eq!(of("/../../etc/passwd"), "File(\"/etc/passwd\")");
        assert_eq!(of("/live/%2e%2e%2fx"), "Live(\"%2e%2e%2fx\")");
    }
}
