//! How the page shows the cameras: set by `[wall]` and `[wall.NAME]`, reported by `/api/cameras`.

use serde_json::{Value, json};

use crate::web::admission::principal::Principal;
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

    /// The wall `name` as `principal` sees it; the one without a name has an empty one. `None` if there is none
    /// for that principal.
    pub(in crate::web) fn view(&self, name: &str, principal: &Principal) -> Option<WallView> {
        let walls = self.0.lock();
        let wall = if name.is_empty() { &walls.standard } else { walls.named.get(name)? };
        let cameras = match (visible(wall, principal), name) {
            (Some(cameras), _) => cameras.map(|cameras| cameras.into_iter().map(str::to_owned).collect()),
            (None, "") => None,
            (None, _) => return None,
        };
        Some(WallView { layout: wall.layout, cameras })
    }

    /// The wall without a name comes first; `null` leaves the choice to the page. Cameras that `principal`
    /// may not see are left out, and so are walls of no others.
    pub(in crate::web) fn as_json(&self, principal: &Principal) -> Value {
        let walls = self.0.lock();
        let standard = std::iter::once(wall_json("", &walls.standard, visible(&walls.standard, principal).flatten()));
        let named =
            walls.named.iter().filter_map(|(name, wall)| Some(wall_json(name, wall, visible(wall, principal)?)));
        standard.chain(named).collect()
    }
}

/// One wall, as a principal sees it.
pub struct WallView {
    /// As the configuration says; `None` leaves it to the page.
    pub layout: Option<&'static str>,
    /// Those that the principal may see; `None`: all.
    pub cameras: Option<Vec<String>>,
}

/// The cameras of `wall` that `principal` may see, if the wall names any; `None` if it names only others.
fn visible<'a>(wall: &'a Wall, principal: &Principal) -> Option<Option<Vec<&'a str>>> {
    let Some(ids) = &wall.cameras else { return Some(None) };
    let seen: Vec<_> = ids.iter().map(CameraId::as_str).filter(|id| principal.sees(id)).collect();
    (ids.is_empty() || !seen.is_empty()).then_some(Some(seen))
}

fn wall_json(name: &str, wall: &Wall, cameras: Option<Vec<&str>>) -> Value {
    json!({
        "name": name,
        "layout": wall.layout,
        "cameras": cameras,
        "rotate": wall.rotate,
        "language": wall.language,
        "sign_of_life": wall.sign_of_life,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{Account, Credential, Rights, Seen, token_hash::TokenHash};

    fn principal(cameras: Seen) -> Principal {
        let credential = Credential::Token(TokenHash::of("token"));
        Principal::of_login(Account { name: "guard".to_owned(), rights: Rights::WATCH, cameras, credential }.into())
    }

    fn wall(cameras: &[&str]) -> Wall {
        let ids = cameras.iter().map(|id| CameraId::new(id).unwrap()).collect();
        Wall { layout: Some("1+5"), cameras: Some(ids), ..Wall::default() }
    }

    #[test]
    fn walls_are_told_as_the_file_has_them() {
        let walls = WallSettings::default();
        walls.set(Walls { named: [("hall".to_owned(), wall(&["gate"]))].into(), ..Walls::default() });
        let json = walls.as_json(&principal(Seen::All));
        assert_eq!((&json[0]["name"], &json[0]["layout"]), (&json!(""), &Value::Null));
        assert_eq!(
            (&json[1]["name"], &json[1]["layout"], &json[1]["cameras"]),
            (&json!("hall"), &json!("1+5"), &json!(["gate"]))
        );
    }

    #[test]
    fn cameras_of_others_are_on_no_wall() {
        let walls = WallSettings::default();
        let named = [("hall", wall(&["vault", "gate"])), ("safe", wall(&["vault"]))];
        let named = named.map(|(name, wall)| (name.to_owned(), wall)).into();
        walls.set(Walls { standard: wall(&["vault"]), named });
        let json = walls.as_json(&principal(Seen::Only(["gate".to_owned()].into())));
        assert!(!json.to_string().contains("vault") && !json.to_string().contains("safe"), "{json}");
        assert_eq!((&json[0]["cameras"], &json[1]["cameras"]), (&Value::Null, &json!(["gate"])));
    }
}
