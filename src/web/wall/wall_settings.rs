//! How the page shows the cameras: set by `[wall]` and `[wall.NAME]`, reported by `/api/cameras`.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::web::admission::principal::Principal;
use crate::{
    camera::CameraId,
    config::{Layout, Wall, Walls},
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
        let cameras = match (visible(wall.all_cameras(), principal), name) {
            (Some(cameras), _) => cameras,
            (None, "") => None,
            (None, _) => return None,
        };
        Some(WallView { layout: wall.layout.as_ref().and_then(|layout| layout_json(layout, principal)), cameras })
    }

    /// Where pictures of the wall `name` are kept, if anywhere.
    pub(in crate::web) fn pictures(&self, name: &str) -> Option<PathBuf> {
        let walls = self.0.lock();
        let wall = if name.is_empty() { &walls.standard } else { walls.named.get(name)? };
        wall.pictures.clone()
    }

    /// The wall without a name comes first; `null` leaves the choice to the page. Cameras that `principal`
    /// may not see are left out, and so are walls of no others. `is_own_screen`: it is told to a page on this machine
    /// itself.
    pub(in crate::web) fn as_json(&self, principal: &Principal, is_own_screen: bool) -> Value {
        let walls = self.0.lock();
        let own = |wall: &Wall| visible(wall.cameras.clone(), principal).flatten();
        let told = |name: &str, wall: &Wall| {
            let mut told = wall_json(name, wall, own(wall), principal);
            // Not where.
            told["keeps_pictures"] = json!(wall.pictures.is_some() && is_own_screen);
            told
        };
        let standard = told("", &walls.standard);
        let named = walls.named.iter().filter_map(|(name, wall)| {
            let _some = visible(wall.all_cameras(), principal)?;
            Some(told(name, wall))
        });
        std::iter::once(standard).chain(named).collect()
    }
}

/// One wall, as a principal sees it.
pub struct WallView {
    /// A word, or rows in which cameras of others have no place; `None` leaves it to the page.
    pub layout: Option<Value>,
    /// Those that the principal may see; `None`: all.
    pub cameras: Option<Vec<String>>,
}

/// Those of `cameras` that `principal` may see, if any are named; `None` if they are all others.
fn visible(cameras: Option<Vec<CameraId>>, principal: &Principal) -> Option<Option<Vec<String>>> {
    let Some(ids) = cameras else { return Some(None) };
    let seen: Vec<_> = ids.iter().filter(|id| principal.sees(id.as_str())).map(CameraId::to_string).collect();
    (ids.is_empty() || !seen.is_empty()).then_some(Some(seen))
}

/// A word, or rows in which the cameras that `principal` may not see have no place; `None` if it sees none of them.
pub fn layout_json(layout: &Layout, principal: &Principal) -> Option<Value> {
    let sees = |camera: &CameraId| principal.sees(camera.as_str());
    match layout {
        Layout::Word(word) => Some(json!(word)),
        Layout::Drawn(grid) => grid.cameras().iter().any(sees).then(|| json!(grid.rows(sees))),
    }
}

fn wall_json(name: &str, wall: &Wall, cameras: Option<Vec<String>>, principal: &Principal) -> Value {
    json!({
        "name": name,
        "layout": wall.layout.as_ref().and_then(|layout| layout_json(layout, principal)),
        "cameras": cameras,
        "rotate": wall.rotate,
        "back_after": wall.back_after,
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
        Wall { layout: Some(Layout::Word("1+5")), cameras: Some(ids), ..Wall::default() }
    }

    #[test]
    fn walls_are_told_as_the_file_has_them() {
        let walls = WallSettings::default();
        walls.set(Walls { named: [("hall".to_owned(), wall(&["gate"]))].into(), ..Walls::default() });
        let json = walls.as_json(&principal(Seen::All), true);
        assert_eq!((&json[0]["name"], &json[0]["layout"]), (&json!(""), &Value::Null));
        assert_eq!(
            (&json[1]["name"], &json[1]["layout"], &json[1]["cameras"]),
            (&json!("hall"), &json!("1+5"), &json!(["gate"]))
        );
    }

    #[test]
    fn cameras_of_others_have_no_place_in_a_picture_of_the_grid() {
        let text = "[[camera]]\nid='gate'\nip='10.0.0.1'\n[[camera]]\nid='vault'\nip='10.0.0.2'\n\
                    [wall]\nlayout=['vault']\n[wall.hall]\nlayout=['gate vault', 'gate vault']\n";
        let no_files = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
        let walls = WallSettings::default();
        walls.set(crate::config::parse(text, std::path::Path::new("c"), &no_files).unwrap().walls);
        let all = walls.as_json(&principal(Seen::All), true);
        assert_eq!(all[1]["layout"], json!(["gate vault", "gate vault"]));
        let json = walls.as_json(&principal(Seen::Only(["gate".to_owned()].into())), true);
        assert_eq!((&json[0]["layout"], &json[0]["cameras"]), (&Value::Null, &Value::Null));
        assert_eq!((&json[1]["layout"], &json[1]["cameras"]), (&json!(["gate .", "gate ."]), &json!(["gate"])));
    }

    #[test]
    fn cameras_of_others_are_on_no_wall() {
        let walls = WallSettings::default();
        let named = [("hall", wall(&["vault", "gate"])), ("safe", wall(&["vault"]))];
        let named = named.map(|(name, wall)| (name.to_owned(), wall)).into();
        walls.set(Walls { standard: wall(&["vault"]), named });
        let json = walls.as_json(&principal(Seen::Only(["gate".to_owned()].into())), true);
        assert!(!json.to_string().contains("vault") && !json.to_string().contains("safe"), "{json}");
        assert_eq!((&json[0]["cameras"], &json[1]["cameras"]), (&Value::Null, &json!(["gate"])));
    }
}
