//! Positions that a camera has stored.

/// A position that a camera has stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preset {
    pub token: String,
    pub name: String,
    /// By which it is chosen with digits, from 1.
    pub number: u32,
}

impl Preset {
    /// Numbers presets, given as token and name: by their tokens if all are numbers, as most cameras have them, or else
    /// in the order of the camera.
    pub fn numbered(presets: Vec<(String, String)>) -> Vec<Self> {
        let numbers: Vec<u32> = presets.iter().filter_map(|(token, _)| token.parse().ok()).filter(|n| *n > 0).collect();
        let are_numbers = numbers.len() == presets.len();
        let numbered = (1..).zip(presets).map(|(place, (token, name))| {
            let number = if are_numbers { token.parse().unwrap_or(place) } else { place };
            Self { token, name, number }
        });
        numbered.collect()
    }
}

/// A preset as somebody names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PresetRef {
    Name(String),
    Number(u32),
}

impl PresetRef {
    /// The preset among `presets`: by name, or else by token; case counts only where two names differ in nothing else.
    pub fn find<'p>(&self, presets: &'p [Preset]) -> Option<&'p Preset> {
        match self {
            Self::Number(number) => presets.iter().find(|preset| preset.number == *number),
            Self::Name(name) => {
                let exact = presets.iter().find(|preset| preset.name == *name);
                let alike = || presets.iter().find(|preset| preset.name.to_lowercase() == name.to_lowercase());
                exact.or_else(alike).or_else(|| presets.iter().find(|preset| preset.token == *name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_have_the_numbers_of_their_tokens_or_else_of_their_order() {
        let numbers = |tokens: &[&str]| {
            let presets = tokens.iter().map(|token| ((*token).to_owned(), String::new())).collect();
            Preset::numbered(presets).iter().map(|preset| preset.number).collect::<Vec<_>>()
        };
        assert_eq!(numbers(&["1", "2", "5"]), [1, 2, 5]);
        assert_eq!(numbers(&["1", "p2", "5"]), [1, 2, 3]);
        assert_eq!(numbers(&["0", "1"]), [1, 2]);
    }

    #[test]
    fn presets_are_found_by_name_and_by_number() {
        let presets = Preset::numbered(vec![
            ("a".into(), "Door".into()),
            ("b".into(), "door".into()),
            ("Gate".into(), "x".into()),
        ]);
        let token = |wanted: PresetRef| wanted.find(&presets).map(|preset| preset.token.clone());
        let named = |name: &str| token(PresetRef::Name(name.into()));
        assert_eq!(
            (named("door"), named("DOOR"), named("Gate")),
            (Some("b".into()), Some("a".into()), Some("Gate".into()))
        );
        assert_eq!(
            (named("yard"), token(PresetRef::Number(2)), token(PresetRef::Number(4))),
            (None, Some("b".into()), None)
        );
    }
}
