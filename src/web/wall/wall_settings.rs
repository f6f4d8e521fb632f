//! How the page shows the cameras: set by `[wall]` and `[wall.NAME]`, reported by `/api/cameras`.

use serde_json::{Value, json};

use crate::{
    camera::CameraId,
    config::{Wall, Walls},
    sync::Mutex,
};

/// The walls in force.
#[derive(Default)]
pub struct WallSettings(Mutex<Walls>);

impl WallSettings {
    /// Sets the walls; open pages follow within seconds.
    pub fn set(&self, walls: Walls) {
        *self.0.lock() = walls;
    }

    /// The wall without a name comes first; `null` leaves the choice to the page.
    pub(in crate::web) fn as_json(&self) -> Value {
        let walls = self.0.lock();
        let standard = std::iter::once(wall_json("", &walls.standard));
        standard.chain(walls.named.iter().map(|(name, wall)| wall_json(name, wall))).collect()
    }
}

fn wall_json(name: &str, wall: &Wall) -> Value {
    json!({
        "name": name,
        "layout": wall.layout,
        "cameras": wall.cameras.as_ref().map(|ids| ids.iter().map(CameraId::as_str).collect::<Vec<_>>()),
        "rotate": wall.rotate,
        "language": wall.language,
        "sign_of_life": wall.sign_of_life,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walls_are_told_as_the_file_has_them() {
        let shelf = WallSettings::default();
        let hall = Wall { layout: Some("1+5"), cameras: CameraId::new("gate").map(|id| vec![id]), ..Wall::default() };
        shelf.set(Walls { named: [("hall".to_owned(), hall)].into(), ..Walls::default() });
        let json = shelf.as_json();
        assert_eq!((&json[0]["name"], &json[0]["layout"]), (&json!(""), &Value::Null));
        assert_eq!(
            (&json[1]["name"], &json[1]["layout"], &json[1]["cameras"]),
            (&json!("hall"), &json!("1+5"), &json!(["gate"]))
        );
    }
}
